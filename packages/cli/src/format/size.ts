/** Numbers of bytes for people. */

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Bytes with three significant digits and powers of 1000: `2.97MB`. */
export function formatSize(bytes: number): string {
  return scale(bytes, 1000, decimalUnits, 3);
}

/** Bytes with four significant digits and powers of 1024, as memory is given: `23.54GiB`. */
export function formatMemory(bytes: number): string {
  return scale(bytes, 1024, binaryUnits, 4);
}

function scale(bytes: number, base: number, units: readonly string[], digits: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  return `${Number(value.toPrecision(digits))}${units[unit]}`;
}
