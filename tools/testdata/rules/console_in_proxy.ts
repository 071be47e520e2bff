// path: proxy/run/start_proxy.ts
// expect: weft/console
export function start(): void {
  console.log("started");
}
