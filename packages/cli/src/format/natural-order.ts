/** Compares texts so that numbers in them count as numbers: `80/tcp` comes before `443/tcp`. For `sort`. */
export function compareNaturally(a: string, b: string): number {
  const [left, right] = [tokensOf(a), tokensOf(b)];
  for (const [index, token] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const isNumbers = isNumber(token) && isNumber(other);
    const difference = isNumbers ? Number(token) - Number(other) : compareText(token, other);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function tokensOf(text: string): readonly string[] {
  return text.match(/\d+|\D+/g) ?? [];
}

function isNumber(token: string): boolean {
  return /^\d/.test(token);
}

/** By code unit, so that the order is the same in every language. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
