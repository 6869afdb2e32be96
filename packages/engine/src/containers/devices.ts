/** Looks up the host's devices that a container is given. */
import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, messageOf } from '../base/errors.ts';
import type { DeviceRate, DeviceWeight, ResourceLimits } from '../model/container.ts';
import { type DeviceMapping, type HostDevices, parseDeviceRule } from '../model/isolation.ts';
import type { OciBlockIo, OciDevice, OciDeviceRule } from '../runtime/spec/oci-types.ts';

/** What a container finds in /dev beside the usual, and what it may do with it. */
export interface GivenDevices {
  readonly devices: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

/** Folders and files of /dev that belong to whoever mounted them, and the terminal that is the container's own. */
const notDevices: ReadonlySet<string> = new Set([
  'pts',
  'shm',
  'fd',
  'mqueue',
  '.lxc',
  '.lxd-mounts',
  '.udev',
  'console',
]);

/**
 * The devices of a container: those of `--device`, and all of the host's where it is privileged.
 * @throws internal, as Docker does at start, for a path that is no device and holds none
 */
export async function givenDevices(host: HostDevices): Promise<GivenDevices> {
  const mapped = (await Promise.all((host.devices ?? []).map(mappedDevices))).flat();
  const own = host.privileged ? await devicesBelow('/dev', '/dev') : [];
  // A device that is mapped to a path of its own comes on top, and wins where the host has another one there.
  const taken = new Set(mapped.map(({ device }) => device.path));
  return {
    devices: [...own.filter(({ path }) => !taken.has(path)), ...mapped.map(({ device }) => device)],
    rules: [...mapped.map(ruleOf), ...(host.deviceCgroupRules ?? []).map(ruleFromText)],
  };
}

interface MappedDevice {
  readonly device: OciDevice;
  readonly permissions: string;
}

async function mappedDevices(mapping: DeviceMapping): Promise<MappedDevice[]> {
  const { pathOnHost, pathInContainer, permissions } = mapping;
  const path = await realpath(pathOnHost).catch(() => pathOnHost);
  const refused = (why: string) =>
    internal(
      'device-unusable',
      `error gathering device information while adding custom device "${pathOnHost}": ${why}`,
      { path: pathOnHost },
    );
  const facts = await stat(path).catch((error) => {
    throw refused(/ENOENT/.test(messageOf(error)) ? 'no such file or directory' : messageOf(error));
  });
  const device = deviceOf(facts, pathInContainer);
  const devices = device ? [device] : facts.isDirectory() ? await devicesBelow(path, pathInContainer) : [];
  if (devices.length === 0) throw refused('not a device node');
  return devices.map((found) => ({ device: found, permissions }));
}

/** The devices in a folder and those below it; what is gone or unreadable is left out. */
async function devicesBelow(folder: string, pathInContainer: string): Promise<OciDevice[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries.map(async (entry): Promise<OciDevice[]> => {
      if (notDevices.has(entry.name)) return [];
      const [path, inside] = [join(folder, entry.name), join(pathInContainer, entry.name)];
      if (entry.isDirectory()) return devicesBelow(path, inside);
      if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
      const facts = await stat(path).catch(() => undefined);
      const device = facts && deviceOf(facts, inside);
      return device ? [device] : [];
    }),
  );
  return found.flat();
}

function deviceOf(facts: Stats, path: string): OciDevice | undefined {
  if (!facts.isCharacterDevice() && !facts.isBlockDevice()) return undefined;
  return {
    type: facts.isBlockDevice() ? 'b' : 'c',
    path,
    ...deviceNumbers(facts.rdev),
    fileMode: facts.mode & 0o777,
    uid: facts.uid,
    gid: facts.gid,
  };
}

/** Takes a device number apart as the C library does; makedev(3). It may have more than 32 bits. */
export function deviceNumbers(rdev: number): { readonly major: number; readonly minor: number } {
  const [high, low] = [Math.floor(rdev / 2 ** 32), rdev % 2 ** 32];
  return {
    major: ((low >>> 8) & 0xfff) | (high & 0xfffff000),
    minor: (low & 0xff) | ((low >>> 12) & 0xfff00),
  };
}

function ruleOf({ device: { type, major, minor }, permissions }: MappedDevice): OciDeviceRule {
  return { allow: true, type, major, minor, access: permissions };
}

function ruleFromText(text: string): OciDeviceRule {
  const rule = parseDeviceRule(text);
  if (!rule)
    throw internal('device-unusable', `invalid device cgroup rule format: '${text}'`, { rule: text });
  return { allow: true, ...rule };
}

/** Weights and rates of block devices, which users name by their nodes. @throws internal for what is no device */
export async function blockIo(limits: ResourceLimits): Promise<OciBlockIo | undefined> {
  const rates = (list: readonly DeviceRate[] | undefined) =>
    list && Promise.all(list.map(async ({ path, rate }) => ({ ...(await numbersOf(path)), rate })));
  const weights = (list: readonly DeviceWeight[] | undefined) =>
    list && Promise.all(list.map(async ({ path, weight }) => ({ ...(await numbersOf(path)), weight })));
  const given = {
    weight: limits.blkioWeight,
    weightDevice: await weights(limits.blkioWeightDevices),
    throttleReadBpsDevice: await rates(limits.blkioReadBps),
    throttleWriteBpsDevice: await rates(limits.blkioWriteBps),
    throttleReadIOPSDevice: await rates(limits.blkioReadIops),
    throttleWriteIOPSDevice: await rates(limits.blkioWriteIops),
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return set.length > 0 ? (Object.fromEntries(set) as OciBlockIo) : undefined;
}

async function numbersOf(path: string) {
  const facts = await stat(path).catch((error) => {
    throw internal('device-unusable', `${path}: ${messageOf(error)}`, { path });
  });
  return deviceNumbers(facts.rdev);
}
