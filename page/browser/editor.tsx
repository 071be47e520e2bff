/** The manifests: a plain text area with line numbers and marked lines, and a tab for each file. */
import { useEffect, useRef } from "preact/hooks";
import type { PageFile } from "../page_data.ts";
import type { ManifestPlace, MarkKind, Marks } from "./place.ts";

/** In CSS pixels; style.css has the same. */
const LINE_HEIGHT = 20;
const PADDING_TOP = 10;

const MARK_WORDS = {
  error: "an error",
  decides: "this decides the request",
  warning: "a warning",
  info: "a note",
} as const satisfies Record<MarkKind, string>;

interface EditorProps {
  readonly files: readonly PageFile[];
  readonly active: number;
  readonly marks: Marks;
  /** To be brought into view; a new object each time. */
  readonly shown: ManifestPlace | null;
  readonly onActive: (index: number) => void;
  readonly onText: (text: string) => void;
}

export function Editor({ files, active, marks, shown, onActive, onText }: EditorProps) {
  const file = files[active];
  const text = useRef<HTMLTextAreaElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const lines = file.text.split("\n");
  const columns = lines.reduce((most, line) => Math.max(most, line.length), 0);
  const marked = [...marks.get(file.name) ?? []].sort(([a], [b]) => a - b);

  useEffect(() => {
    const box = scroller.current;
    if (shown === null || box === null || shown.file !== file.name) return;
    const top = PADDING_TOP + (shown.line - 1) * LINE_HEIGHT;
    box.scrollTop = Math.max(0, top - box.clientHeight / 3);
    box.scrollLeft = 0;
  }, [shown, active]);

  return (
    <section class="card editor" aria-labelledby="editor-title">
      <h2 id="editor-title">Manifests</h2>
      {files.length > 1 && <Tabs files={files} active={active} marks={marks} onActive={onActive} />}
      <div
        class="text-scroll"
        ref={scroller}
        id="editor-panel"
        {...(files.length > 1 ? { role: "tabpanel", "aria-labelledby": `tab-${active}` } : {})}
      >
        <div
          class="text-sheet"
          style={{ height: `${2 * PADDING_TOP + lines.length * LINE_HEIGHT}px` }}
        >
          <div class="gutter" aria-hidden="true">
            {lines.map((_, index) => index + 1).join("\n")}
          </div>
          <div class="text-layer" style={{ minWidth: `calc(${columns}ch + 28px)` }}>
            {marked.map(([line, kind]) => (
              <div
                key={line}
                aria-hidden="true"
                class={`mark ${kind}${
                  shown?.file === file.name && shown.line === line ? " shown" : ""
                }`}
                style={{ top: `${PADDING_TOP + (line - 1) * LINE_HEIGHT}px` }}
              />
            ))}
            <textarea
              ref={text}
              aria-label={`Text of ${file.name}`}
              aria-describedby="marked-lines"
              spellcheck={false}
              autocomplete="off"
              autocapitalize="off"
              wrap="off"
              value={file.text}
              onInput={(event) => onText(event.currentTarget.value)}
            />
          </div>
        </div>
      </div>
      <p class="unseen" id="marked-lines">
        {marked.length === 0
          ? "No line is marked."
          : `Marked lines: ${
            marked.map(([line, kind]) => `${line}, ${MARK_WORDS[kind]}`).join("; ")
          }.`}
      </p>
    </section>
  );
}

function Tabs({ files, active, marks, onActive }: Omit<EditorProps, "shown" | "onText">) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({
      block: "nearest",
      inline: "nearest",
    });
  }, [active]);
  const move = (event: KeyboardEvent) => {
    const to = { ArrowRight: active + 1, ArrowLeft: active - 1, Home: 0, End: files.length - 1 }[
      event.key
    ];
    if (to === undefined) return;
    event.preventDefault();
    const index = (to + files.length) % files.length;
    onActive(index);
    list.current?.querySelectorAll("button")[index]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Files" ref={list} onKeyDown={move}>
      {files.map(({ name }, index) => {
        const kinds = new Set(marks.get(name)?.values() ?? []);
        const worst = (["error", "decides", "warning", "info"] as const)
          .find((kind) => kinds.has(kind));
        return (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${index}`}
            title={name}
            aria-selected={index === active}
            aria-controls="editor-panel"
            tabIndex={index === active ? 0 : -1}
            onClick={() => onActive(index)}
          >
            {name.slice(name.lastIndexOf("/") + 1)}
            {worst !== undefined && (
              <>
                <span class={`dot ${worst}`} aria-hidden="true" />
                <span class="unseen">: {MARK_WORDS[worst]}</span>
              </>
            )}
          </button>
        );
      })}
    </div>
  );
}
