/** Volumes: folders with a name that outlive the containers that use them. Pure. */
import { invalid, notFound } from '../base/errors.ts';

/** The one driver that there is: folders of this host, and what the kernel can mount. */
export const localDriver = 'local';

/** Marks a volume that was made without a name. */
export const anonymousLabel = 'com.docker.volume.anonymous';

export interface VolumeRecord {
  /** The volume's name. */
  readonly id: string;
  /** RFC 3339 with seconds. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `type`, `device` and `o`: what is mounted on the volume's folder while somebody uses it; none: the folder itself. */
  readonly options: Readonly<Record<string, string>>;
  /** Set as soon as removal begins, so that a crash in the middle is finished at the next start. */
  readonly removing?: boolean;
}

/** What a new volume is to be. */
export interface VolumeRequest {
  /** Empty: 64 random hex digits. */
  readonly name: string;
  /** Empty: `local`. */
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Longest name of a file on Linux, in bytes. */
const MAX_NAME_BYTES = 255;

/** @throws invalid for a name that Docker does not allow, in its words */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalid(
      'invalid-volume-name',
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
      { name },
    );
  }
  if (!namePattern.test(name)) {
    throw invalid(
      'invalid-volume-name',
      `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      { name },
    );
  }
  if (name.length > MAX_NAME_BYTES) {
    throw invalid(
      'invalid-volume-name',
      `create ${name}: volume name is too long, at most ${MAX_NAME_BYTES} characters are allowed`,
      { name },
    );
  }
}

/** Whether a folder of this name may be a volume's. */
export function isVolumeName(name: string): boolean {
  return namePattern.test(name) && name.length <= MAX_NAME_BYTES;
}

/** @throws notFound for a driver that there is not */
export function checkVolumeDriver(name: string, driver: string): void {
  if (driver === '' || driver === localDriver) return;
  throw notFound(
    'volume-driver-not-found',
    `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    { name, driver },
  );
}

/** Which options need which others. */
const neededOptions: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
};

/** @throws invalid for options that the driver `local` does not know, or that lack one of the others */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
  const fail = (what: string) => invalid('invalid-volume-option', `create ${name}: ${what}`, { name });
  for (const option of Object.keys(options)) {
    if (option === 'size') throw fail('quota size requested but no quota support');
    if (!Object.hasOwn(neededOptions, option)) throw fail(`invalid option: ${JSON.stringify(option)}`);
  }
  for (const option of Object.keys(options)) {
    const missing = neededOptions[option]!.find((needed) => !options[needed]);
    if (missing) throw fail(`missing required option: ${JSON.stringify(missing)}`);
  }
}

/** Whether something has to be mounted before the volume can be used. */
export function needsMount({ options }: Pick<VolumeRecord, 'options'>): boolean {
  return Boolean(options.device);
}

export function isAnonymous({ labels }: VolumeRecord): boolean {
  return Object.hasOwn(labels, anonymousLabel);
}
