/** The page: its state, and what is made of it. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { TYPING_MS } from "../limits.ts";
import type { PageData, PageState } from "../page_data.ts";
import { AnswerCard } from "./answer_card.tsx";
import { answerState, compilePage } from "./answer_state.ts";
import { Editor } from "./editor.tsx";
import { FindingsCard } from "./findings_card.tsx";
import { decidingPlaces, type ManifestPlace, marksOf, parsePlace } from "./place.ts";
import { RequestForm } from "./request_form.tsx";
import { useRunningMesh } from "./running_mesh.ts";
import { pictureOf } from "./series.ts";
import { SplitCard } from "./split_card.tsx";
import { packState, unpackState } from "./state_link.ts";
import { TopBar } from "./top_bar.tsx";
import { TrafficCard } from "./traffic_card.tsx";

interface AppProps extends Pick<PageData, "isLive"> {
  readonly first: PageState;
  /** The page was opened by a link, which is not to be overwritten by the mesh's manifests. */
  readonly isLinked: boolean;
}

export function App({ first, isLive, isLinked }: AppProps) {
  const [state, setState] = useState(first);
  const [active, setActive] = useState(0);
  const [shown, setShown] = useState<ManifestPlace | null>(null);
  const [isEdited, setEdited] = useState(isLinked);
  const mesh = useRunningMesh(isLive);
  const change = (part: Partial<PageState>) => setState((last) => ({ ...last, ...part }));

  useEffect(() => {
    if (mesh.manifests !== null && !isEdited) change(mesh.manifests);
  }, [mesh.manifests, isEdited]);

  const settled = useSettled(state);
  const { files, namespace, isEnforced, mesh: as } = settled;
  const compiled = useMemo(() => compilePage(files, settled), [files, namespace, isEnforced, as]);
  const answer = useMemo(() => answerState(compiled, settled), [compiled, settled]);
  const good = "message" in answer ? null : answer;
  const marks = useMemo(() => marksOf(compiled.findings, good), [compiled, good]);
  const picture = good === null
    ? null
    : pictureOf(good.simulation, good.explanation.route?.weightTotal ?? 0);

  const show = (place: ManifestPlace) => {
    const index = state.files.findIndex(({ name }) => name === place.file);
    if (index === -1) return;
    setActive(index);
    setShown({ ...place });
  };
  // Whatever decides is in view; it follows the request, and not each key in the editor.
  const deciding = good === null ? undefined : decidingPlaces(good)[0];
  const decidingLine = deciding?.replace(/:\d+$/, "");
  useEffect(() => {
    const place = deciding === undefined ? null : parsePlace(deciding);
    if (place !== null && document.activeElement?.closest(".editor") == null) show(place);
  }, [decidingLine]);
  const link = useLink(state);
  useLinksOf(setState, setEdited);

  const onText = (text: string) => {
    setEdited(true);
    const at = Math.min(active, state.files.length - 1);
    change({ files: state.files.map((file, i) => i === at ? { ...file, text } : file) });
  };
  return (
    <>
      <TopBar link={link} isLive={isLive} />
      <main>
        <RequestForm state={state} urls={compiled.urls} onChange={change} />
        {isLive && isEdited && (
          <p class="notice" role="status">
            What you see is edited here; the files and the mesh are as they were.{" "}
            <button type="button" onClick={() => setEdited(false)}>Back to the mesh</button>
          </p>
        )}
        <Editor
          files={state.files}
          active={Math.min(active, state.files.length - 1)}
          marks={marks}
          shown={shown}
          onActive={setActive}
          onText={onText}
        />
        <div class="answers">
          <AnswerCard answer={answer} mesh={as} onPlace={show} />
          {isLive && <TrafficCard edges={mesh.edges} problem={mesh.problem} />}
          <SplitCard
            picture={picture}
            count={settled.count}
            onCount={(count) => change({ count })}
          />
        </div>
        <FindingsCard findings={compiled.findings} onPlace={show} />
      </main>
    </>
  );
}

/** The state once nothing is typed for a moment. */
function useSettled(state: PageState): PageState {
  const [settled, setSettled] = useState(state);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(state), TYPING_MS);
    return () => clearTimeout(timer);
  }, [state]);
  return settled;
}

/** The link of the state, which the address bar shows too; null: there is too much for one, undefined: not yet made. */
function useLink(state: PageState): string | null | undefined {
  const [link, setLink] = useState<string | null>();
  useEffect(() => {
    let isStale = false;
    const timer = setTimeout(async () => {
      const packed = await packState(state);
      if (isStale) return;
      const url = new URL(location.href);
      url.hash = packed ?? "";
      setLink(packed === null ? null : url.href);
      history.replaceState(null, "", url.hash === "" ? " " : url.hash);
    }, 2 * TYPING_MS);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [state]);
  return link;
}

/** A link that is opened in the same tab. */
function useLinksOf(setState: (state: PageState) => void, setEdited: (is: boolean) => void): void {
  useEffect(() => {
    const take = async () => {
      const state = await unpackState(location.hash);
      if (state === null) return;
      setState(state);
      setEdited(true);
    };
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);
}
