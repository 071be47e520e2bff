/** Waits that come to an end. */
import { TIMER_MS_MAX } from "./limits.ts";

/** What `promise` comes to, or what `onLate` does where that takes longer than `limitMs`. */
export async function withDeadline<T>(
  promise: Promise<T>,
  limitMs: number,
  onLate: () => T,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(Promise.try(onLate)), Math.min(limitMs, TIMER_MS_MAX));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
