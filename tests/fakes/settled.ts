/**
 * Lets a server in this process see what was sent to it: a round through the sockets and
 * the event loop, sent after it.
 */
export async function settled(): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  using near = await Deno.connect({ hostname: "127.0.0.1", port });
  using far = await listener.accept();
  for (let round = 0; round < 2; round++) {
    await near.write(new Uint8Array(1));
    await far.read(new Uint8Array(1));
  }
}
