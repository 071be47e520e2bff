/** The floor: a relay in C that copies bytes to one origin and looks at none. */
import { isInstalled, outputOf } from "../process.ts";
import type { Contender } from "./contender.ts";
import { beside, compileC, isListening } from "./files.ts";

export const RAW_RELAY: Contender = {
  name: "raw relay (C)",
  note: "copies bytes to one origin, parses nothing: the floor",
  takesConnect: false,
  isOtherForm: false,
  version: () => isInstalled("gcc") ? outputOf("gcc", ["--version"]).split("\n")[0] : null,
  can: ({ clients, routes, workers, connectionsMax, isPair = false }) =>
    !isPair && (clients === "http1" || clients === "tcp") && routes === 0 && workers === 1 &&
    connectionsMax <= 4096,
  prepare({ folder, port, origins }) {
    const program = compileC(beside(import.meta.url, "./raw_relay.c"), folder);
    return [program, String(port), String(origins[0])];
  },
  isReady: isListening,
};
