/**
 * Whether this machine has IPv6. Some containers have none, not even the loopback address; what
 * needs it is then not tested, which is said once.
 *
 * @module
 */

async function canBind(): Promise<boolean> {
  try {
    const socket = await Bun.udpSocket({ hostname: "::1", port: 0 });
    socket.close();
    return true;
  } catch (error) {
    console.log(`not run here: what needs IPv6: ${(error as Error).message}`);
    return false;
  }
}

/** Whether ::1 can be bound. */
export const HAS_IPV6: boolean = await canBind();
