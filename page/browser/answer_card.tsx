/** What becomes of the request: where it ends, and the steps on the way, each with its place in the manifests. */
import type { ExplainCell, ExplainStep } from "../../offline/explain_steps.ts";
import { MESH_NAMES } from "../../offline/compat/meshes.ts";
import type { PageAnswer, PageProblem } from "./answer_state.ts";
import { type ManifestPlace, parsePlace } from "./place.ts";

type OnPlace = (place: ManifestPlace) => void;

interface AnswerCardProps {
  readonly answer: PageAnswer | PageProblem;
  /** Empty: Weft. */
  readonly mesh: string;
  readonly onPlace: OnPlace;
}

export function AnswerCard({ answer, mesh, onPlace }: AnswerCardProps) {
  if ("message" in answer) {
    return (
      <section class="card answer" aria-labelledby="answer-title">
        <h2 id="answer-title">Answer</h2>
        <p class="verdict problem" role="status">{answer.message}</p>
        {answer.hint !== "" && <p class="hint">{answer.hint}</p>}
      </section>
    );
  }
  const { title, steps } = answer;
  const name = MESH_NAMES.find(([id]) => id === mesh)?.[1];
  const outcome = steps.find(({ name }) => name === "outcome");
  const plan = steps.find(({ name }) => name === "plan");
  const rest = steps.filter((step) => step !== outcome && step !== plan);
  return (
    <section class="card answer" aria-labelledby="answer-title">
      <h2 id="answer-title">
        Answer{name !== undefined && (
          <span class="count">as {name} would, by its sources: not of a running one</span>
        )}
      </h2>
      <p class="asked">{title}</p>
      <p class={`verdict ${outcome?.tone ?? ""}`} role="status">{outcome?.text}</p>
      <dl class="steps">
        {rest.map((step) => <Step key={step.name} step={step} onPlace={onPlace} />)}
      </dl>
      <p class="plan">
        plan <code>{plan?.text.slice(0, 12)}</code>
      </p>
    </section>
  );
}

function Step({ step, onPlace }: { readonly step: ExplainStep; readonly onPlace: OnPlace }) {
  const { name, text, place, rows } = step;
  return (
    <div class="step">
      <dt>{name}</dt>
      <dd>
        <StepText text={text} place={place} onPlace={onPlace} />
        {rows.length > 0 && (
          <div class="rows" role="region" aria-label={name} tabIndex={0}>
            <table>
              <tbody>
                {rows.map((row, index) => (
                  <tr
                    key={index}
                    class={row.some(({ tone }) => tone === "good") ? "chosen" : ""}
                  >
                    {row.map((cell, column) => (
                      <td key={column} class={cell.tone ?? ""}>
                        <CellText cell={cell} onPlace={onPlace} />
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </dd>
    </div>
  );
}

/** The place stands in the text, and becomes a button there. */
function StepText(
  { text, place, onPlace }: Pick<ExplainStep, "text" | "place"> & { readonly onPlace: OnPlace },
) {
  const at = place === null ? -1 : text.indexOf(place);
  if (place === null || at === -1) return <span>{text}</span>;
  return (
    <span>
      {text.slice(0, at)}
      <PlaceButton text={place} onPlace={onPlace} />
      {text.slice(at + place.length)}
    </span>
  );
}

function CellText({ cell, onPlace }: { readonly cell: ExplainCell; readonly onPlace: OnPlace }) {
  if (cell.isPlace) return <PlaceButton text={cell.text} onPlace={onPlace} />;
  if (cell.text === "->") {
    return (
      <>
        <span aria-hidden="true">→</span>
        <span class="unseen">its turn</span>
      </>
    );
  }
  return <>{cell.text}</>;
}

interface PlaceButtonProps {
  readonly text: string;
  readonly onPlace: OnPlace;
}

/** `file:line:column`, which shows the line. */
export function PlaceButton({ text, onPlace }: PlaceButtonProps) {
  const place = parsePlace(text);
  if (place === null) return <span>{text}</span>;
  const name = place.file.slice(place.file.lastIndexOf("/") + 1);
  return (
    <button
      type="button"
      class="place"
      title={text}
      onClick={() => onPlace(place)}
    >
      <span class="unseen">Show</span>
      {name}:{place.line}
    </button>
  );
}
