/** What there is to say about the manifests: each Finding with its place and its way out. */
import { type Finding, formatPosition, formatRef } from "../../base/finding.ts";
import { summarizeFindings } from "../../console/findings.ts";
import { PlaceButton } from "./answer_card.tsx";
import type { ManifestPlace } from "./place.ts";

interface FindingsCardProps {
  readonly findings: readonly Finding[];
  readonly onPlace: (place: ManifestPlace) => void;
}

export function FindingsCard({ findings, onPlace }: FindingsCardProps) {
  return (
    <section class="card findings" aria-labelledby="findings-title">
      <h2 id="findings-title">
        Findings <span class="count">{summarizeFindings(findings)}</span>
      </h2>
      {findings.length > 0 && (
        <ul>
          {findings.map((finding, index) => (
            <li key={index} class={finding.severity}>
              <p>
                <span class="severity">{finding.severity}</span>
                <code>{finding.code}</code>
                {finding.position !== undefined
                  ? <PlaceButton text={formatPosition(finding.position)} onPlace={onPlace} />
                  : finding.resource !== undefined && (
                    <span class="resource">{formatRef(finding.resource)}</span>
                  )}
              </p>
              <p class="message">{finding.message}</p>
              {finding.hint !== "" && <p class="hint">{finding.hint}</p>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
