/** Lazy: a value that is worked out when it is first read, and once. */
export class Lazy<Value> {
  #make: (() => Value) | null;
  #value: Value | undefined;

  constructor(make: () => Value) {
    this.#make = make;
  }

  get value(): Value {
    if (this.#make !== null) {
      this.#value = this.#make();
      // What it was made of may be large.
      this.#make = null;
    }
    return this.#value as Value;
  }
}
