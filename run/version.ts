/**
 * Which release this is. A constant, so that one-file programs carry it; a test compares it with
 * package.json.
 *
 * @module
 */

/** The release, as in package.json. */
export const VERSION = "0.1.0";
