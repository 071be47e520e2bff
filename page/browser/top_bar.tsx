/** The head of the page: what it is, its link, light or dark. */
import { useState } from "preact/hooks";

interface TopBarProps {
  /** Null: too much for a link; undefined: not yet made. */
  readonly link: string | null | undefined;
  readonly isLive: boolean;
}

const THEMES = ["light dark", "light", "dark"] as const;
const THEME_NAMES = { "light dark": "Auto", light: "Light", dark: "Dark" } as const;

export function TopBar({ link, isLive }: TopBarProps) {
  const [said, setSaid] = useState("");
  const [theme, setTheme] = useState<typeof THEMES[number]>("light dark");
  const copy = async () => {
    if (link === null || link === undefined) return;
    try {
      await navigator.clipboard.writeText(link);
      setSaid(`Copied: ${(link.length / 1_000).toFixed(1)} kB`);
    } catch {
      setSaid("Copy the address of this page");
    }
  };
  const nextTheme = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    document.documentElement.style.colorScheme = next;
    setTheme(next);
  };
  return (
    <header>
      <Weave />
      <h1>
        Weft <span>{isLive ? "running on this machine" : "playground"}</span>
      </h1>
      <p class="tagline">
        {isLive
          ? "What you type stays here; the mesh goes on."
          : "Offline: nothing leaves this page."}
      </p>
      <div class="tools">
        <span role="status" class="said">
          {link === null ? "Too much for a link: keep it by --out" : said}
        </span>
        <button type="button" onClick={copy} disabled={link === null}>Copy link</button>
        <button type="button" onClick={nextTheme} aria-label={`Colours: ${THEME_NAMES[theme]}`}>
          {THEME_NAMES[theme]}
        </button>
      </div>
    </header>
  );
}

/** Three warp threads, and a weft thread that goes over, under and over. */
function Weave() {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
      <g fill="none" stroke-linecap="round" stroke-width="3.5">
        <path class="warp" d="M8 4v24M16 4v24M24 4v24" />
        <path class="weft-thread" d="M3 11h9M20 11h9M11 21h10" />
        <path class="weft-thread soft" d="M3 21h2M27 21h2" />
      </g>
    </svg>
  );
}
