/** `weft playground`: the routing of manifests as one page for a browser. */
import type { CommandContext, Program } from "../program.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("playground")
    .summary("manifests, a request and its way, as one page for a browser")
    .description(
      "Makes one static page of the manifests: edit them, ask for a request, see which line decides, who takes each of the next " +
        "requests, and what is wrong. The page has the same routing in it as the proxy and `weft explain`; it needs no network, and " +
        "nothing leaves it. A link of the page holds all that is on it.\n\n" +
        "--out writes the page into a file; without it the page is served on this machine until Ctrl-C. Without manifests it begins " +
        "with the canary guide. `weft up` serves the page too, with traffic.\n\n" +
        "Examples:\n" +
        "  weft playground\n" +
        "  weft playground manifests/ --request 'GET http://web.shop/cart' -H 'x-user: ann'\n" +
        "  helm template chart/ | weft playground -f - --out routing.html",
    )
    .usage("[options] [PATH…]")
    .argument("[path...]", "as -f")
    .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .option("--request <request>", "to begin with: 'METHOD URL'")
    .option("-H, --header <header>", "header of it, 'Name: value' (repeat)", collect, [])
    .option("--from <sender>", "who sends it, NAMESPACE[/SERVICEACCOUNT]")
    .option("--enforce-access", "enforce traffic targets (permissive mode off)", false)
    .option("--port <number>", "where to serve it; 0: any free port", "15080")
    .option("--out <file>", "write the page instead; - for stdout")
    .action(async (paths, options) => {
      const { playground } = await import("../playground/playground.ts");
      context.exitCode = await playground(paths, options, context.environment);
    });
}
