/**
 * The extensions of instruction sets that our machine code may use, and what a kernel may ask of a
 * processor. An assembler is made for a set of extensions and refuses any instruction outside it:
 * an instruction that the processor lacks would end the whole process.
 *
 * @module
 */

/** Extensions of x86-64, which always has SSE2 (Intel SDM, volume 2: "CPUID feature flag"). */
export type X86Extension =
  "SSSE3" | "SSE4.1" | "SHA" | "XSAVE" | "AVX" | "AVX2" | "AVX512F" | "AVX512VL" | "AVX512BW";

/** Those and the ones of AArch64, which always has Advanced SIMD (Arm ARM, chapter A2). */
export type Extension = X86Extension | "FEAT_SHA256";

/** What a kernel may need: a few extensions that count together. */
export type Feature = "sha" | "avx2" | "avx512" | "avx512vl" | "armSha";

/** What a processor must have for a feature; code that needs the feature may use just that. */
export const FEATURE_EXTENSIONS: Readonly<Record<Feature, readonly Extension[]>> = {
  sha: ["SSSE3", "SSE4.1", "SHA"],
  avx2: ["AVX", "AVX2"],
  avx512: ["AVX", "AVX512F"],
  avx512vl: ["AVX", "AVX2", "AVX512F", "AVX512VL"],
  armSha: ["FEAT_SHA256"],
};

/** All extensions of several features. */
export function extensionsOf(features: readonly Feature[]): ReadonlySet<Extension> {
  return new Set(features.flatMap((feature) => FEATURE_EXTENSIONS[feature]));
}
