/** Reads /proc/stat and /proc/PID/net/dev. Pure. Source: proc(5). */
import type { InterfaceSample, MachineSample } from './sample.ts';

/** The tick of /proc/stat, as in `cgroup-v1.ts`. */
const NS_PER_TICK = 10_000_000n;
/** user, nice, system, idle, iowait, irq and softirq: what Docker's clients divide by. */
const COUNTED_STATES = 7;

export function parseMachineStat(text: string): MachineSample {
  const all = /^cpu +(.*)$/m.exec(text)?.[1] ?? '';
  const ticks = all
    .split(' ')
    .slice(0, COUNTED_STATES)
    .reduce((sum, value) => sum + (/^\d+$/.test(value) ? BigInt(value) : 0n), 0n);
  return { cpuNs: ticks * NS_PER_TICK, cpus: text.match(/^cpu\d+ /gm)?.length ?? 0 };
}

/** The counters of each interface, by name; two lines of headings come first. */
export function parseInterfaces(text: string): ReadonlyMap<string, InterfaceSample> {
  const interfaces = new Map<string, InterfaceSample>();
  for (const line of text.split('\n').slice(2)) {
    // A name may have colons of its own.
    const at = line.lastIndexOf(':');
    const fields = line
      .slice(at + 1)
      .trim()
      .split(/\s+/);
    if (at < 0 || fields.length < 12 || !fields.every((field) => /^\d+$/.test(field))) continue;
    const value = (index: number) => BigInt(fields[index]!);
    interfaces.set(line.slice(0, at).trim(), {
      rxBytes: value(0),
      rxPackets: value(1),
      rxErrors: value(2),
      rxDropped: value(3),
      txBytes: value(8),
      txPackets: value(9),
      txErrors: value(10),
      txDropped: value(11),
    });
  }
  return interfaces;
}
