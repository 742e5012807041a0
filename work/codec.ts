/**
 * Messages as CBOR bytes: a codec reads and writes the kinds whose forms it is given, so that a
 * program carries the forms of those messages only that it sends and gets.
 *
 * @module
 */
import { decodeCbor, encodeCbor, leadingCounts } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Form } from "./form.ts";
import type { Message } from "./messages.ts";
import type { Forms } from "./wire_jobs.ts";

const TYPE_MAX = 255;

/** Reads and writes the messages of the kinds `K`. */
export class Codec<K extends Message["kind"]> {
  readonly #forms: ReadonlyMap<string, Form<Message>>;
  readonly #byType: (Form<Message> | undefined)[] = [];
  readonly #kinds: (K | undefined)[] = [];

  constructor(forms: Forms<K>) {
    this.#forms = new Map(Object.entries<Form<Message>>(forms));
    for (const [kind, form] of this.#forms) {
      this.#byType[form.type] = form;
      this.#kinds[form.type] = kind as K;
    }
  }

  /** The payload that says `message`. */
  encode(message: Extract<Message, { kind: K }>): Uint8Array {
    const { type, write } = this.#forms.get(message.kind)!;
    const fields = new FieldWriter().count(type);
    write(fields, message);
    return encodeCbor(fields.values);
  }

  /** The message that `payload` says, or, as a string, why it is none. Never throws. */
  decode(payload: Uint8Array): Extract<Message, { kind: K }> | string {
    const fields = FieldReader.of(decodeCbor(payload));
    if (fields === undefined) return "not a plain CBOR array";
    const message = this.#byType[fields.count(TYPE_MAX)]?.read(fields);
    if (message === undefined) return "unknown message type";
    if (!fields.isGood) return `malformed ${message.kind}`;
    return message as Extract<Message, { kind: K }>;
  }

  /**
   * What can be said of a payload that {@link decode} does not read: its kind, and the number of
   * the chunk or job behind it. So that a request which makes no sense can be answered.
   */
  headOf(payload: Uint8Array): { readonly kind: K; readonly number: number } | undefined {
    const [type, number] = leadingCounts(payload, 2);
    const kind = type === undefined ? undefined : this.#kinds[type];
    return kind === undefined || number === undefined ? undefined : { kind, number };
  }
}
