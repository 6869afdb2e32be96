import { constants } from 'node:os';
import { invalid } from '../base/errors.ts';

/** Parses a signal as Docker's clients write it: `SIGTERM`, `term`, `15`. @throws invalid naming it */
export function parseSignal(text: string): number {
  const name = text.toUpperCase();
  const signals: Readonly<Record<string, number>> = constants.signals;
  const byName = signals[name] ?? signals[`SIG${name}`];
  const number = /^\d+$/.test(text) ? Number(text) : (byName ?? realTimeSignal(name));
  if (number === undefined || number < 1 || number > 64) {
    throw invalid('invalid-signal', `Invalid signal: ${text}`, { signal: text });
  }
  return number;
}

/** `RTMIN`, `RTMIN+3`, `RTMAX-2`; signal(7): glibc leaves 34 to 64 to programs. */
function realTimeSignal(name: string): number | undefined {
  const match = /^(?:SIG)?RT(MIN|MAX)([+-]\d{1,2})?$/.exec(name);
  return match ? (match[1] === 'MIN' ? 34 : 64) + Number(match[2] ?? 0) : undefined;
}

export const SIGKILL = constants.signals.SIGKILL;

/**
 * Whether a user who sends the signal wants the container to end: then no restart policy brings it back. Beside the
 * container's own stop signal these are the usual ones, unless it has chosen one for itself.
 */
export function asksToEnd(signal: number, stopSignal: number): boolean {
  const { SIGTERM, SIGINT, SIGQUIT } = constants.signals;
  if (signal === SIGKILL || signal === stopSignal) return true;
  return stopSignal === SIGTERM && (signal === SIGINT || signal === SIGQUIT);
}
