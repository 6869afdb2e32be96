/** What `--security-opt` says. Pure. */
import { invalid } from '../base/errors.ts';
import { goBoolean } from '../base/go-boolean.ts';

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `default`, `unconfined`, or the JSON of a profile. */
  readonly seccomp: string;
  /** Empty: none was named. */
  readonly apparmor: string;
}

/**
 * `label` options are taken without effect, as Docker does where SELinux is off: nothing here is labelled.
 * @throws invalid in Docker's words, which number the places that refuse
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let seccomp = 'default';
  let apparmor = '';
  for (const option of options) {
    if (option === 'no-new-privileges') {
      noNewPrivileges = true;
      continue;
    }
    if (option === 'disable') continue;
    const separator = option.includes('=') ? '=' : ':';
    const at = option.indexOf(separator);
    if (at < 0) throw refused(1, option);
    const value = option.slice(at + 1);
    switch (option.slice(0, at)) {
      case 'no-new-privileges': {
        const flag = goBoolean(value);
        if (flag === undefined) throw refused(2, option);
        noNewPrivileges = flag;
        break;
      }
      case 'seccomp':
        seccomp = value === 'builtin' || value === '' ? 'default' : value;
        break;
      case 'apparmor':
        apparmor = value;
        break;
      case 'label':
        break;
      default:
        throw refused(2, option);
    }
  }
  return { noNewPrivileges, seccomp, apparmor };
}

function refused(place: number, option: string) {
  return invalid('invalid-security-option', `invalid --security-opt ${place}: "${option}"`, { option });
}
