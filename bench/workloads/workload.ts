/** What every workload is: rows of numbers by contender, and what a reader has to know of them. Shape only. */
import type { Column, Row } from "../report.ts";
import type { Session } from "../session.ts";

export interface BenchWorkload {
  /** As `--workload` takes it. */
  readonly name: string;
  readonly title: string;
  /** What is done and what the numbers are, in Markdown. */
  readonly about: string;
  readonly columns: readonly Column[];
  /** Key of the column that is shown as a multiple of Weft's too; null: none. */
  readonly compared: string | null;
  /** What fails for one contender is left out, and said. Throws where nothing can be measured at all. */
  measure(session: Session): Promise<Row[]>;
}
