/** UsedBy: what uses what, looked up by what is used. Most of it has one user, which stands alone; only several make a set. */
export class UsedBy {
  readonly #users = new Map<string, string | Set<string>>();

  has(used: string): boolean {
    return this.#users.has(used);
  }

  of(used: string): Iterable<string> {
    const users = this.#users.get(used);
    return typeof users === "string" ? [users] : users ?? [];
  }

  add(used: string, user: string): void {
    const users = this.#users.get(used);
    if (users === undefined) this.#users.set(used, user);
    else if (typeof users !== "string") users.add(user);
    else if (users !== user) this.#users.set(used, new Set([users, user]));
  }

  delete(used: string, user: string): void {
    const users = this.#users.get(used);
    if (users === user) this.#users.delete(used);
    if (!(users instanceof Set) || !users.delete(user) || users.size > 1) return;
    for (const last of users) this.#users.set(used, last);
  }
}
