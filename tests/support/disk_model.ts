/**
 * What a disk may hold after a crash, said as simply as can be: everything that was acknowledged,
 * and of what was asked for behind that some first part, in order.
 *
 * @module
 */
import type { Save, Store, StoredState, StoreEffect, StoreInput } from "../../base/store.ts";
import { textsOf } from "./disks.ts";

/** Contents, as text. */
interface Content {
  /** Index of the first record in `texts`. */
  readonly first: number;
  readonly texts: readonly string[];
  readonly meta: string;
  readonly snapshot: { readonly index: number; readonly text: string; readonly about: string };
}

const NOTHING: Content = {
  first: 1,
  texts: [],
  meta: "",
  snapshot: { index: 0, text: "", about: "" },
};

/** One durable step: a store, or a snapshot that is whole. */
type Step =
  | { readonly token: number; readonly store: Store }
  | { readonly token: number; readonly save: Save; readonly text: string };

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function applied(content: Content, step: Step): Content {
  if ("store" in step) {
    const { log, meta } = step.store;
    const next = meta === undefined ? content : { ...content, meta: utf8.decode(meta) };
    if (log === undefined) return next;
    const { first } = content;
    const kept = content.texts.slice(0, Math.max(0, log.at - first));
    const texts = [...kept, ...log.records.map((record) => utf8.decode(record))];
    return { ...next, texts, first: Math.min(first, log.at) };
  }
  const { index, last } = step.save;
  const about = last?.about === undefined ? "" : utf8.decode(last.about);
  const snapshot = { index, text: step.text, about };
  const next = content.first + content.texts.length;
  // A log that does not go up to the snapshot is of no use.
  if (last?.log === "discard" || next <= index) {
    return { ...content, first: index + 1, texts: [], snapshot };
  }
  const first = Math.max(content.first, last?.logFrom ?? index + 1);
  return { ...content, first, texts: content.texts.slice(first - content.first), snapshot };
}

/** Watches what one disk is asked and what it tells, over all its lives. */
export class DiskModel {
  #settled: Content = NOTHING;
  /** What was asked for and not acknowledged in this life, in order; saves by `keep` apart. */
  #steps: Step[] = [];
  #kept: Step[] = [];
  #parts: string[] = [];
  #acknowledged = 0;
  #savedKeep = 0;

  /** What was asked for and is not acknowledged. */
  get pending(): number {
    return this.#steps.length - this.#acknowledged;
  }

  /** To be called with everything that the disk is asked for. */
  asked(effect: StoreEffect): void {
    if (effect.kind === "store") this.#steps.push({ token: effect.token, store: effect });
    if (effect.kind !== "save") return;
    if (effect.offset === 0) this.#parts = [];
    this.#parts.push(utf8.decode(effect.bytes));
    if (effect.last === undefined) return;
    const step = { token: effect.token, save: effect, text: this.#parts.join("") };
    if (effect.last.log === "discard") this.#steps.push(step);
    else this.#kept.push(step);
  }

  /** To be called with everything that the disk tells. */
  told(input: StoreInput): void {
    if (input.kind === "stored") {
      const done = this.#steps.findLastIndex((s) => "store" in s && s.token <= input.token) + 1;
      this.#acknowledged = Math.max(this.#acknowledged, done);
    } else if (input.kind === "saved") {
      const done = this.#steps.findIndex((step) => "save" in step && step.token === input.token);
      this.#acknowledged = Math.max(this.#acknowledged, done + 1);
      const kept = this.#kept.findIndex((step) => step.token === input.token);
      this.#savedKeep = Math.max(this.#savedKeep, kept + 1);
    }
  }

  /** Judges what a disk holds when it is opened again. Gives what is wrong, or undefined. */
  reopened(state: StoredState): string | undefined {
    const found = contentOf(state);
    const candidates: Content[] = [];
    let content = this.#steps.slice(0, this.#acknowledged).reduce(applied, this.#settled);
    for (const step of [undefined, ...this.#steps.slice(this.#acknowledged)]) {
      if (step !== undefined) content = applied(content, step);
      for (let kept = this.#savedKeep; kept <= this.#kept.length; kept++) {
        candidates.push(this.#with(content, kept));
      }
    }
    const match = candidates.find((candidate) => Bun.deepEquals(candidate, found, true));
    if (match === undefined) {
      const [first, last] = [candidates[0]!, candidates.at(-1)!];
      return `it holds ${shown(found)}; expected ${shown(first)} at least, ${shown(last)} at most`;
    }
    this.#settled = match;
    this.#steps = [];
    this.#kept = [];
    this.#acknowledged = this.#savedKeep = 0;
    return undefined;
  }

  /** A snapshot that keeps the log is in no order with the stores: only its index counts. */
  #with(content: Content, kept: number): Content {
    const later = this.#kept.slice(0, kept).filter((step) => {
      return "save" in step && step.save.index > content.snapshot.index;
    });
    return later.reduce(applied, content);
  }
}

function contentOf(state: StoredState): Content {
  const { records, meta, snapshot } = state;
  return {
    first: records.first,
    texts: textsOf(state),
    meta: meta === undefined ? "" : utf8.decode(meta),
    snapshot: {
      index: snapshot?.index ?? 0,
      text: snapshot?.bytes === undefined ? "" : utf8.decode(snapshot.bytes),
      about: snapshot?.about === undefined ? "" : utf8.decode(snapshot.about),
    },
  };
}

function shown({ first, texts, meta, snapshot }: Content): string {
  const next = first + texts.length;
  const last = texts.at(-1)?.slice(0, 12) ?? "nothing";
  return `records ${first}..${next - 1} (${last}), meta ${meta}, snapshot ${snapshot.index}`;
}
