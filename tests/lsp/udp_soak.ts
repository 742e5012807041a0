/** LSP on real sockets: clients come, exchange messages of all sizes, and close or vanish. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { connect, listen } from "../../lsp/mod.ts";
import { within } from "../support/waiting.ts";
import { SOAK_SEED, soakSeeds, tellSoak } from "../support/soak.ts";

const host = "127.0.0.1";
const params = { epochMillis: 100, epochLimit: 30 };
/** Clients at the same time. */
const CLIENTS = 20;
const MESSAGES_MAX = 60;
const BYTES_MAX = { cbor: 60_000, json: 1400 } as const;

/** A client's `number`-th message: its number, and then bytes that follow from it. */
function messageOf(seed: number, number: number, bytesMax: number): Uint8Array {
  const random = seededRandom(seed, number);
  // Most are small, as messages are.
  const most = integerBetween(random, 0, 9) === 0 ? bytesMax : 200;
  const bytes = new Uint8Array(integerBetween(random, 0, most));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random() & 255;
  return bytes;
}

test("every message comes back, in order and once, although others vanish", async () => {
  await using server = await listen({ host, port: 0, params });
  const echoing = (async () => {
    for await (const { connId, payload } of server) {
      await server.writable(connId, payload.length).then(
        () => server.write(connId, payload),
        // Its client has vanished meanwhile.
        () => {},
      );
    }
  })();
  const counts = { clients: 0, messages: 0, vanished: 0 };
  const seeds = soakSeeds();
  const live = async (): Promise<void> => {
    for (let next = seeds.next(); !next.done; next = seeds.next()) {
      const seed = next.value;
      const random = seededRandom(seed);
      const wire = integerBetween(random, 0, 4) === 0 ? "json" : "cbor";
      const messages = Array.from({ length: integerBetween(random, 1, MESSAGES_MAX) }, (_, i) =>
        messageOf(seed, i, BYTES_MAX[wire]),
      );
      const client = await connect({ host, port: server.port, wire, params });
      for (const bytes of messages) {
        await client.writable(bytes.length);
        client.write(bytes);
      }
      const vanishes = integerBetween(random, 0, 3) === 0;
      const wanted = vanishes ? messages.length >> 1 : messages.length;
      for (const [i, bytes] of messages.slice(0, wanted).entries()) {
        const echo = await within(`message ${i} of --seed ${seed}`, client.read());
        assertEquals(Buffer.compare(echo, bytes), 0, `message ${i} of --seed ${seed} (${wire})`);
      }
      counts.clients++;
      counts.messages += wanted;
      if (!vanishes) await client.close();
      else {
        counts.vanished++;
        (client as unknown as { udp: { release(): void } }).udp.release();
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, live));
  await server.close();
  await echoing;
  const { clients, messages, vanished } = counts;
  tellSoak(
    `lsp: ${clients} clients, ${vanished} of them vanished, ${messages} messages, ` +
      `from seed ${SOAK_SEED} on`,
  );
});
