/** Asks every 5 ms until the answer is as wanted, of which nothing tells; for 20 s. */
export async function until<T>(what: string, ask: () => T | Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const answer = await ask()
    if (wanted(answer)) return answer
    if (Date.now() >= deadline) throw new Error(`${what}: not within 20 s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
