/** The current time as RFC 3339 in UTC with nine digits of fraction, as Docker writes it. */
export function nowText(): string {
  const microseconds = Math.round((performance.timeOrigin + performance.now()) * 1000);
  const date = new Date(Math.floor(microseconds / 1000));
  const fraction = String(microseconds % 1_000_000).padStart(6, '0');
  return `${date.toISOString().slice(0, 19)}.${fraction}000Z`;
}

/** Nanoseconds since the epoch, exact to the microsecond. */
export function nowNanoseconds(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
