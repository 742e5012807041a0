/**
 * A geo-replicated store that is always there (docs/geo.md). A server and a client in one process:
 *
 * ```ts
 * import { openGeo, serveGeo } from "./mod.ts";
 *
 * await using server = await serveGeo({ port: 0 });
 * await using store = openGeo({ servers: [`127.0.0.1:${server.port}`] });
 * await store.put("greeting", "hello");
 * console.log((await store.get("greeting"))?.text, await store.add("visits", 1));
 * for await (const { key, text } of store.list("")) console.log(key, text);
 * ```
 *
 * @module
 */
export { GEO_PORT, type RunningGeo, serveGeo, type ServeGeoOptions } from "./adapter.ts";
export { QueryCore } from "./core.ts";
export { GeoError, type GeoErrorCode } from "./errors.ts";
export type { GeoChange, GeoItem } from "./items.ts";
export { KEY_BYTES_MAX, VALUE_BYTES_MAX } from "./limits.ts";
export {
  GeoStore,
  openGeo,
  type OpenGeoOptions,
  type GeoCallOptions,
  type GeoWatchOptions,
} from "./open_adapter.ts";
export { nearest, roundRobin, type Router, type Target } from "./routers.ts";
