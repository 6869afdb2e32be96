/** How large a container's log may become, from the options of its log driver. Pure. */
import { internal } from '../base/errors.ts';
import type { LogSettings } from '../model/isolation.ts';

export interface LogLimits {
  /** Of the file that is written to; absent: none. */
  readonly maxSizeBytes?: number;
  /** That file and older ones beside it. */
  readonly maxFiles: number;
}

const unlimited: LogLimits = { maxFiles: 1 };
/** What the driver `local` does where nothing is said. */
const localLimits = { maxSizeBytes: 20 * 1024 * 1024, maxFiles: 5 };

/** @throws internal, as Docker does at start, for values that the driver cannot work with */
export function logLimits(logging: LogSettings | undefined): LogLimits {
  if (!logging || logging.driver === 'none') return unlimited;
  const { 'max-size': size, 'max-file': files, compress } = logging.options;
  const isLocal = logging.driver === 'local';
  const usual = isLocal ? localLimits : unlimited;
  const maxSizeBytes = size === undefined ? usual.maxSizeBytes : parseSize(size, isLocal ? 1024 : 1000);
  const maxFiles = files === undefined ? usual.maxFiles : parseCount(files);
  if (compress !== undefined && !/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(compress)) {
    throw refused(`strconv.ParseBool: parsing "${compress}": invalid syntax`);
  }
  if (/^[1tT]/.test(compress ?? '') && (maxFiles === 1 || maxSizeBytes === undefined)) {
    throw refused('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  return { ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }), maxFiles };
}

/** `10m`, `1.5 GB`; -1 is no limit. @param base of the units: 1000 or 1024 */
function parseSize(text: string, base: number): number | undefined {
  if (text === '-1') return undefined;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i.exec(text);
  if (!match) throw refused(`invalid size: '${text}'`);
  const exponent = 'kmgtp'.indexOf((match[2] ?? '').toLowerCase() || ' ') + 1;
  const bytes = Math.floor(Number(match[1]) * base ** exponent);
  if (bytes <= 0) throw refused('max-size must be a positive number');
  return bytes;
}

function parseCount(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw refused(`strconv.Atoi: parsing "${text}": invalid syntax`);
  const count = Number(text);
  if (count < 1) throw refused('max-file cannot be less than 1');
  return count;
}

function refused(why: string) {
  return internal(
    'log-driver-failed',
    `failed to create task for container: failed to initialize logging driver: ${why}`,
  );
}
