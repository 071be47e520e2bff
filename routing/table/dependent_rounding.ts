/**
 * Dependent rounding: turns a doubly stochastic matrix into a random permutation such that each
 * entry is 1 with exactly the probability that it stated. Whole numbers only, so nothing is lost to
 * rounding errors.
 */

/** Decides with probability `favourable / total`; whole numbers, `0 < favourable < total`. */
export type Coin = (favourable: number, total: number) => boolean;

/** The entries of a matrix that are not zero. */
interface SparseMatrix {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** In units of `1 / one`. */
  readonly values: Int32Array;
}

/**
 * Fastest where each row's entries come in order of columns, and rows with few entries come first.
 *
 * @param matrix each row and each column adds up to `one`, and there are `one` of each
 * @returns the row chosen for each column
 */
export function roundToMatching(matrix: SparseMatrix, one: number, coin: Coin): Int32Array {
  const graph = new FractionalGraph(matrix, one);
  for (let row = 0; row < one; row++) roundCycles(graph, row, coin);
  const rowOf = new Int32Array(one).fill(-1);
  matrix.columns.forEach((column, edge) => {
    if (graph.values[edge] === one) rowOf[column] = matrix.rows[edge];
  });
  return rowOf;
}

/**
 * Walks along entries that are neither 0 nor 1 until it comes back to a vertex that it has passed. It shifts weight around that
 * cycle until one of its entries is 0 or 1, and walks on from there until nothing is left of the walk. Every vertex has no such
 * entry or at least two, as its entries add up to 1: it never gets stuck.
 */
function roundCycles(graph: FractionalGraph, start: number, coin: Coin): void {
  const { placeOnPath } = graph;
  const path: number[] = [];
  const vertices = [start];
  placeOnPath[start] = 0;
  for (;;) {
    const at = vertices[vertices.length - 1];
    const edge = graph.edgeFrom(at, path.length === 0 ? -1 : path[path.length - 1]);
    if (edge === -1) break;
    const to = graph.otherEnd(edge, at);
    path.push(edge);
    const place = placeOnPath[to];
    if (place === -1) {
      placeOnPath[to] = vertices.push(to) - 1;
      continue;
    }
    graph.shift(path, place, coin);
    for (let i = place + 1; i < vertices.length; i++) placeOnPath[vertices[i]] = -1;
    vertices.length = place + 1;
    path.length = place;
  }
  placeOnPath[start] = -1;
}

/** The entries as a bipartite graph: rows are vertices from 0, columns from `one`. */
class FractionalGraph {
  readonly values: Int32Array;
  /** By vertex: its index in the walk under way; -1 for none. */
  readonly placeOnPath: Int32Array;
  readonly #one: number;
  readonly #rows: Int32Array;
  readonly #columns: Int32Array;
  /** The entries of each row that are neither 0 nor 1, and those of each column. */
  readonly #inRow: EdgeLists;
  readonly #inColumn: EdgeLists;

  constructor({ rows, columns, values }: SparseMatrix, one: number) {
    this.#one = one;
    this.#rows = rows;
    this.#columns = columns;
    this.values = values.slice();
    this.placeOnPath = new Int32Array(2 * one).fill(-1);
    this.#inRow = new EdgeLists(one, values.length);
    this.#inColumn = new EdgeLists(one, values.length);
    values.forEach((value, edge) => {
      if (value === one) return;
      this.#inRow.append(rows[edge], edge);
      this.#inColumn.append(columns[edge], edge);
    });
  }

  /**
   * An open entry of the vertex other than `except`; -1 where there is none. Rows give their first
   * one, columns their last: of the orders tried this made the shortest cycles.
   */
  edgeFrom(vertex: number, except: number): number {
    if (vertex < this.#one) {
      const first = this.#inRow.first[vertex];
      return first === except && first !== -1 ? this.#inRow.next[first] : first;
    }
    const last = this.#inColumn.last[vertex - this.#one];
    return last === except ? this.#inColumn.previous[last] : last;
  }

  otherEnd(edge: number, vertex: number): number {
    return vertex < this.#one ? this.#one + this.#columns[edge] : this.#rows[edge];
  }

  /**
   * Adds to every other entry of the cycle `path[place..]` and takes from the rest, or the other
   * way round.
   */
  shift(path: readonly number[], place: number, coin: Coin): void {
    const { values } = this;
    let up = this.#one;
    let down = this.#one;
    for (let i = place; i < path.length; i++) {
      const value = values[path[i]];
      const room = this.#one - value;
      const isEven = (i - place) % 2 === 0;
      up = Math.min(up, isEven ? room : value);
      down = Math.min(down, isEven ? value : room);
    }
    // The chances are such that no entry changes on average.
    const amount = coin(down, up + down) ? up : -down;
    for (let i = place; i < path.length; i++) {
      const edge = path[i];
      values[edge] += (i - place) % 2 === 0 ? amount : -amount;
      if (values[edge] !== 0 && values[edge] !== this.#one) continue;
      this.#inRow.remove(this.#rows[edge], edge);
      this.#inColumn.remove(this.#columns[edge], edge);
    }
  }
}

/** Ordered lists of edges, each edge in at most one; -1 ends a list. */
class EdgeLists {
  readonly first: Int32Array;
  readonly last: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;

  constructor(listCount: number, edgeCount: number) {
    this.first = new Int32Array(listCount).fill(-1);
    this.last = new Int32Array(listCount).fill(-1);
    this.next = new Int32Array(edgeCount).fill(-1);
    this.previous = new Int32Array(edgeCount).fill(-1);
  }

  append(list: number, edge: number): void {
    const last = this.last[list];
    if (last === -1) this.first[list] = edge;
    else this.next[last] = edge;
    this.previous[edge] = last;
    this.last[list] = edge;
  }

  remove(list: number, edge: number): void {
    const previous = this.previous[edge];
    const next = this.next[edge];
    if (previous === -1) this.first[list] = next;
    else this.next[previous] = next;
    if (next === -1) this.last[list] = previous;
    else this.previous[next] = previous;
  }
}
