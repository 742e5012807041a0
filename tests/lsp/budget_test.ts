/** The memory of large messages: what is promised in docs/memory.md, on random input. */
import { describe, expect, test } from "bun:test";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { Budget, Reservation } from "../../lsp/budget.ts";
import { Marks } from "../../lsp/frame.ts";
import { DEFAULT_LSP_LIMITS, fullLimits, type LspLimits } from "../../lsp/params.ts";
import { ReceiveBuffer } from "../../lsp/receive_buffer.ts";

const MOST = 100;

/** A message that grows by its own steps, and what was granted to it. */
interface Growing {
  readonly reservation: Reservation;
  readonly total: number;
  waits: boolean;
}

describe("Budget", () => {
  test("never grants above its limit, and while one waits somebody can finish", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const limit = integerBetween(random, MOST, 4 * MOST);
      const budget = new Budget({ maxReassemblyBytes: limit, maxMessageBytes: MOST });
      const all: Growing[] = [];
      const whole: Growing[] = [];
      for (let step = 0; step < 300; step++) {
        const choice = integerBetween(random, 0, 9);
        const one = all[integerBetween(random, 0, Math.max(0, all.length - 1))];
        if (choice <= 1) {
          const reservation = new Reservation(() => (added.waits = false));
          const added: Growing = {
            reservation,
            total: integerBetween(random, 1, MOST),
            waits: false,
          };
          all.push(added);
        } else if (choice === 2 && whole.length > 0) budget.release(whole.shift()!.reservation);
        else if (choice === 3 && one !== undefined) {
          all.splice(all.indexOf(one), 1);
          budget.release(one.reservation);
        } else if (one !== undefined && !one.waits) {
          const to = Math.min(one.total, one.reservation.charged + integerBetween(random, 1, 30));
          one.waits = !budget.raise(one.reservation, to);
          if (one.waits) budget.borrow(one.reservation, integerBetween(random, 0, 9));
          if (one.reservation.charged < one.total) continue;
          all.splice(all.indexOf(one), 1);
          whole.push(one);
          budget.finish(one.reservation);
        }
        const claims = [...all, ...whole].map(({ reservation }) => reservation);
        const charged = claims.reduce((sum, reservation) => sum + reservation.charged, 0);
        expect(budget.reassemblyBytes).toBe(charged);
        expect(charged).toBeLessThanOrEqual(limit);
        expect(budget.bytes).toBe(
          claims.reduce((sum, reservation) => sum + reservation.borrowed, 0),
        );
        const waiting = all.filter(({ waits }) => waits);
        expect(budget.isContended).toBe(waiting.length > 0);
        for (const { reservation } of waiting) expect(budget.isWaiting(reservation)).toBe(true);
        // Somebody goes on, or a complete message waits to be read: never do all wait.
        if (waiting.length > 0) expect(waiting.length < all.length || whole.length > 0).toBe(true);
        for (const { reservation, waits } of all) if (!waits) expect(reservation.borrowed).toBe(0);
      }
      for (const { reservation } of [...whole, ...all]) budget.release(reservation);
      expect([budget.reassemblyBytes, budget.bytes, budget.isContended]).toEqual([0, 0, false]);
    }
  });

  test("a complete message gives its ticket on as soon as it fits into the pool", () => {
    const budget = new Budget({ maxReassemblyBytes: 2 * MOST, maxMessageBytes: MOST });
    const [a, b, c] = [1, 2, 3].map(() => new Reservation(() => {})) as [
      Reservation,
      Reservation,
      Reservation,
    ];
    expect([budget.raise(a, MOST), budget.raise(b, MOST), budget.raise(c, 60)]).toEqual([
      true,
      true,
      false,
    ]);
    budget.finish(a);
    budget.finish(b);
    expect([b.ticketed, c.charged]).toEqual([MOST, 0]);
    // The pool is free again: b moves there, and c gets the ticket.
    budget.release(a);
    expect([b.ticketed, c.charged, c.ticketed]).toEqual([0, 60, 60]);
  });
});

describe("Limits", () => {
  test("maxReassemblyBytes has room for one message at least", () => {
    const limits: Partial<LspLimits> = { maxReassemblyBytes: 1000, maxMessageBytes: 1001 };
    expect(() => fullLimits(limits)).toThrow("maxReassemblyBytes");
    expect(fullLimits({ maxMessageBytes: 2 ** 31 }).maxReassemblyBytes).toBe(2 ** 31);
  });
});

describe("ReceiveBuffer with pieces", () => {
  const piece = (value: number): Uint8Array => new Uint8Array(1000).fill(value);

  function buffer(changes: Partial<LspLimits>): { budget: Budget; into: ReceiveBuffer } {
    const limits = { ...DEFAULT_LSP_LIMITS, ...changes };
    const budget = new Budget(limits);
    return { budget, into: new ReceiveBuffer(0, limits, budget, (bytes) => read.push(bytes)) };
  }
  const read: Uint8Array[] = [];

  test("keeps a copy of a piece that is ahead of its turn", () => {
    const { into } = buffer({});
    const lent = piece(2);
    expect(into.accept(2, lent, Marks.last, 0)).toBe("new");
    lent.fill(99);
    expect(into.accept(1, piece(1), Marks.first, 1000)).toBe("new");
    expect([...new Set(read.pop())]).toEqual([1, 2]);
  });

  test("takes no new message of a peer who does not mind the window, until all is read", () => {
    const { into } = buffer({ maxUnreadBytes: 4000 });
    for (let i = 0; i < 9; i++) {
      const marks = i === 0 ? Marks.first : i === 8 ? Marks.last : Marks.between;
      expect(into.accept(i + 1, piece(i), marks, 8000 - i * 1000)).toBe("new");
    }
    expect(into.creditBytes).toBe(0);
    expect(into.accept(10, piece(9), Marks.first, 5000)).toBe("dropped");
    into.noteRead(9000);
    expect(into.accept(10, piece(9), Marks.first, 5000)).toBe("new");
  });

  test("a message that has its room goes on although all unread room is taken", () => {
    const { into, budget } = buffer({ maxUnreadBytesTotal: 5000 });
    expect(into.accept(1, piece(1), Marks.first, 9000)).toBe("new");
    budget.bytes += 5000;
    expect(into.creditBytes).toBe(DEFAULT_LSP_LIMITS.maxUnreadBytes);
    expect(into.accept(2, piece(2), Marks.between, 8000)).toBe("new");
  });
});
