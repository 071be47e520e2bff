// path: cli/commands/up.ts
// expect: weft/console
export function up(): void {
  console.error("no");
}
