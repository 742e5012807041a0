/**
 * Two machines on one: network namespaces with a cable between them, which `unshare` gives to
 * anybody on most Linux systems. A server is on A, 10.9.0.1, its caller on B, 10.9.0.2.
 */
import { describe, test } from "bun:test";
import { join } from "node:path";
import { assert, assertStringIncludes } from "@std/assert";

const ECHO = `${process.execPath} ${join(import.meta.dirname, "../support/echo_role.ts")}`;

/** Makes the namespaces; `A CMD` and `B CMD` run a command in one of them. */
const WORLD = `
set -e
unshare -n sleep 60 & P=$!
trap 'kill $P $S 2>/dev/null' EXIT
A() { "$@"; }
B() { nsenter -t $P -n "$@"; }
sleep 0.3
ip link set lo up
B ip link set lo up
ip link add va type veth peer name vb netns $P
for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done
B sh -c 'for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done'
B sh -c 'echo 1 > /proc/sys/net/ipv4/conf/vb/promote_secondaries'
A ip addr add 10.9.0.1/24 dev va
A ip link set va up
B ip addr add 10.9.0.2/24 dev vb
B ip link set vb up
sleep 2
LINK=$(ip -6 addr show dev va | grep -o 'fe80[^/]*')
serve() { ${ECHO} serve "$@" & S=$!; sleep 1; }
call() { B ${ECHO} call "$@" || true; }
move() { B ip addr add $2/24 dev vb; B ip addr del $1/24 dev vb; }
`;

/** What the commands print in that world. */
async function printed(commands: string): Promise<string> {
  const child = Bun.spawn(["unshare", "-rn", "sh", "-c", WORLD + commands], {
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const [out, log] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  assert(out !== "", log);
  return out;
}

describe("two machines:", () => {
  test("a client goes on with its connection though its address changes twice", async () => {
    const out = await printed(`
      serve 0.0.0.0 7000
      (sleep 2; move 10.9.0.2 10.9.0.77; sleep 2; move 10.9.0.77 10.9.0.78) &
      call 10.9.0.1 7000 cbor 6 50`);
    assertStringIncludes(out, "echoes ");
  });

  test("every address of the server answers for itself, whenever it came, on both wires", async () => {
    const out = await printed(`
      serve :: 7000
      A ip addr add 10.9.0.9/24 dev va
      A ip addr add 10.9.1.1/24 dev va
      B ip route add 10.9.1.0/24 dev vb
      for wire in cbor json; do
        for host in 10.9.0.1 10.9.0.9 10.9.1.1 "[$LINK%vb]" "[$LINK%2]" $LINK; do
          call $host 7000 $wire 0.2 50
        done
      done`);
    assert((out.match(/echoes /g) ?? []).length === 12, out);
  });

  test("an MTU of 1196 is found while connecting", async () => {
    const out = await printed(`
      B ip link set vb mtu 1196
      serve 10.9.0.1 7000
      call 10.9.0.1 7000 cbor 1 5000`);
    assertStringIncludes(out, "echoes ");
  });

  test("an MTU that becomes 1196 ends the connection and is named; the next one passes", async () => {
    for (const side of ["A ip link set va", "B ip link set vb"]) {
      const out = await printed(`
        serve 10.9.0.1 7000
        (sleep 2; ${side} mtu 1196) &
        call 10.9.0.1 7000 cbor 8 5000
        call 10.9.0.1 7000 cbor 1 5000`);
      const [first = "", second = ""] = out.split("\n");
      assertStringIncludes(first, "datagrams of 1200 bytes are lost on the way to 10.9.0.1:7000");
      assertStringIncludes(second, "echoes ");
    }
  });
});
