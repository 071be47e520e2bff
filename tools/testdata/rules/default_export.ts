// path: schemas/kinds.ts
// expect: weft/default-export
export default function kinds(): void {}
