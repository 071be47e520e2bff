/** Whether event loops still turn: one that is stuck looks well from outside, and keeps its share of the connections waiting. */

/** @param ask asks a loop for anything; loops answer between two batches of events */
export async function allAnswer<Loop>(
  loops: readonly Loop[],
  ask: (loop: Loop) => Promise<unknown>,
  limitMs: number,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), limitMs));
  const answered = Promise.all(loops.map(ask)).then(() => true, () => false);
  const isAlive = await Promise.race([answered, late]);
  clearTimeout(timer);
  return isAlive;
}
