/** The request: method, URL, headers, and who sends it. */
import { MESH_NAMES } from "../../offline/compat/meshes.ts";
import { METHODS } from "../../routing/request.ts";
import type { PageState } from "../page_data.ts";

interface RequestFormProps {
  readonly state: PageState;
  /** What may be asked of the manifests. */
  readonly urls: readonly string[];
  readonly onChange: (change: Partial<PageState>) => void;
}

export function RequestForm({ state, urls, onChange }: RequestFormProps) {
  const { method, url, headers, from, isEnforced, namespace, mesh } = state;
  return (
    <form
      class="card request"
      aria-label="Request"
      onSubmit={(event) => event.preventDefault()}
    >
      <label class="field method">
        <span>Method</span>
        <select
          value={method}
          onChange={(event) => onChange({ method: event.currentTarget.value })}
        >
          {METHODS.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      </label>
      <label class="field url">
        <span>URL</span>
        <input
          value={url}
          list="urls"
          placeholder={urls[0] ?? "http://service.namespace/path"}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => onChange({ url: event.currentTarget.value })}
        />
        <datalist id="urls">{urls.map((each) => <option key={each} value={each} />)}</datalist>
      </label>
      <label class="field from">
        <span>Caller</span>
        <input
          value={from}
          placeholder={`${namespace}/default`}
          title="NAMESPACE or NAMESPACE/SERVICEACCOUNT"
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => onChange({ from: event.currentTarget.value })}
        />
      </label>
      <label class="field headers">
        <span>Headers, one a line</span>
        <textarea
          rows={Math.min(6, Math.max(1, headers.split("\n").length))}
          value={headers}
          placeholder="x-user: ann"
          spellcheck={false}
          onInput={(event) => onChange({ headers: event.currentTarget.value })}
        />
      </label>
      <label class="field mesh">
        <span>Answered by</span>
        <select value={mesh} onChange={(event) => onChange({ mesh: event.currentTarget.value })}>
          <option value="">Weft</option>
          {MESH_NAMES.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={isEnforced}
          onChange={(event) => onChange({ isEnforced: event.currentTarget.checked })}
        />
        <span>Enforce traffic targets</span>
      </label>
    </form>
  );
}
