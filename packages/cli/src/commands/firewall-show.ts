/** `seaway firewall show`: what the firewall is for, its live rules, and whether both agree. */
import { exitCodes } from '../cli-error.ts';
import type { FirewallAnswer } from '../client/types.ts';
import type { Context } from '../context.ts';
import {
  formatAgreement,
  formatFirewallNetworks,
  formatFirewallPorts,
  formatLiveRules,
} from '../format/firewall.ts';
import { coloured, plain } from '../format/paint.ts';
import { addFlag } from './flags.ts';
import { inspectObjects } from './inspect-objects.ts';
import type { CommandSpec } from './spec.ts';

export interface FirewallShowOptions {
  format?: string;
  live?: boolean;
  model?: boolean;
}

/** Where nobody looks at a terminal. */
const DEFAULT_WIDTH = 100;

export const spec: CommandSpec<FirewallShowOptions> = {
  name: 'firewall show',
  usage: '[OPTIONS]',
  summary: 'Show what the firewall is for, its live rules, and whether both agree',
  configure(command) {
    command.option('-f, --format <FORMAT>', 'json, or a template such as {{.InSync}}');
    addFlag(command, '--live', "only the kernel's rules, in the language of nft");
    addFlag(command, '--model', 'only networks and published ports');
  },
  async run(context, _args, { format, live, model }) {
    const fetch = () => context.client.json<FirewallAnswer>('GET', '/seaway/firewall');
    if (format !== undefined) return inspectObjects(context, [''], format, fetch);
    const firewall = await fetch();
    const parts: readonly Part[] =
      live === model ? ['model', 'live', 'agreement'] : [live ? 'live' : 'model'];
    context.print(render(context, firewall, parts));
    // Who asks for one half only still wants to know.
    if (parts.length === 1 && !firewall.InSync)
      context.complain("the kernel's rules are not what they should be");
    return firewall.InSync ? 0 : exitCodes.failure;
  },
};

/** Beside the model, which has them all, many elements would hide the rules. */
const SHOWN_BESIDE_THE_MODEL = 20;

type Part = 'model' | 'live' | 'agreement';

function render(context: Context, firewall: FirewallAnswer, parts: readonly Part[]): string {
  const size = context.terminal.size();
  const paint = size && !context.env.NO_COLOR ? coloured : plain;
  const isWhole = parts.length > 1;
  const layout = {
    width: size?.columns ?? DEFAULT_WIDTH,
    paint,
    ...(isWhole ? { elementsShown: SHOWN_BESIDE_THE_MODEL } : {}),
  };
  const heading = (text: string) => (isWhole ? `${paint('bold', `# ${text}`)}\n\n` : '');
  const sections: Record<Part, () => string> = {
    model: () =>
      `${heading('Networks')}${formatFirewallNetworks(firewall.Networks)}\n` +
      `${heading('Published ports')}${formatFirewallPorts(firewall.Ports)}`,
    live: () => `${heading("Seaway's rules in the kernel")}${formatLiveRules(firewall, layout)}`,
    agreement: () => formatAgreement(firewall, paint),
  };
  return parts.map((part) => sections[part]()).join('\n');
}
