import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type DaemonOptions, formatHelp, OptionError, optionSpecs, parseDaemonOptions } from './options.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaway-options-'));
after(() => rmSync(folder, { recursive: true }));

function parse(...argv: string[]): DaemonOptions {
  const parsed = parseDaemonOptions(argv);
  assert.equal(parsed.kind, 'run');
  return (parsed as { options: DaemonOptions }).options;
}

function configFile(content: unknown): string {
  const path = join(folder, 'daemon.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe("the daemon's options", () => {
  it('have defaults', () => {
    const options = parse();
    assert.equal(options['data-root'], '/var/lib/seaway');
    assert.equal(options.bridge, 'docker0');
    assert.equal(options.icc, true);
    assert.equal(options.bip, undefined);
    assert.deepEqual(options.host, []);
  });

  it("are written as dockerd's", () => {
    const options = parse(
      '-H',
      'unix:///a',
      '-H=unix:///b',
      '--icc=false',
      '-D',
      '--mtu',
      '1400',
      '--dns=192.0.2.1',
      '--ip-masq=0',
    );
    assert.deepEqual(options.host, ['unix:///a', 'unix:///b']);
    assert.deepEqual(
      [options.icc, options.debug, options.mtu, options['ip-masq']],
      [false, true, 1400, false],
    );
    assert.deepEqual(options.dns, ['192.0.2.1']);
  });

  it('may name what is not supported as long as they do not ask for it', () => {
    assert.equal(parse('--ipv6=false').ipv6, false);
  });

  it('take an address of either family for published ports', () => {
    assert.equal(parse().ip, '0.0.0.0');
    for (const address of ['127.0.0.1', '0.0.0.0', '::1', '::']) {
      assert.equal(parse('--ip', address).ip, address);
    }
    assert.equal(
      parse('--config-file', configFile({ ip: '192.0.2.1', 'userland-proxy': false })).ip,
      '192.0.2.1',
    );
    assert.equal(parse('--userland-proxy=false')['userland-proxy'], false);
  });

  it('come from a file with the same keys', () => {
    const path = configFile({
      hosts: ['unix:///c'],
      mtu: 9000,
      icc: false,
      'default-address-pools': [{ base: '10.0.0.0/8', size: 24 }],
    });
    const options = parse('--config-file', path, '--bridge', 'br0');
    assert.deepEqual([options.mtu, options.icc, options.bridge], [9000, false, 'br0']);
    assert.deepEqual(options['default-address-pool'], ['base=10.0.0.0/8,size=24']);
  });

  it('name addresses of the host as newer and older files do', () => {
    for (const content of [{ 'host-gateway-ips': ['192.0.2.1'] }, { 'host-gateway-ip': '192.0.2.1' }]) {
      assert.deepEqual(parse('--config-file', configFile(content))['host-gateway-ip'], ['192.0.2.1']);
    }
    const both = parse('--host-gateway-ip=192.0.2.1', '--host-gateway-ip=::1');
    assert.deepEqual(both['host-gateway-ip'], ['192.0.2.1', '::1']);
  });

  it('are refused with the option and the value in the message', () => {
    const refused: [string[], RegExp][] = [
      [['--nope'], /--nope/],
      [['stray'], /stray/],
      [['--mtu', 'x'], /--mtu x: it should be a whole number/],
      [['--ipv6'], /--ipv6: .*not supported/],
      [['--ip', 'localhost'], /--ip localhost: it should be an IP address/],
      [['--ip', '10.0.0.0/8'], /--ip 10.0.0.0\/8: it should be an IP address/],
      [['--ip', 'fe80::1%lo'], /--ip fe80::1%lo: it should be an IP address/],
      [['--ip', ''], /--ip : it should be an IP address/],
      [['--mtu', '10'], /--mtu 10: it should be from 68 to 65535/],
      [['--icc=maybe'], /--icc maybe: it should be true or false/],
      [['--log-level', 'loud'], /--log-level loud: .*debug, info/],
      [['--host-gateway-ip', 'junk'], /--host-gateway-ip junk: it should be an IP address/],
      [['--host-gateway-ip=::1', '--host-gateway-ip=::2'], /--host-gateway-ip ::1: .*one IPv6 address/],
      [['--config-file', join(folder, 'missing')], /missing/],
      [['--config-file', configFile('{')], /JSON/],
    ];
    for (const [argv, message] of refused) {
      assert.throws(
        () => parseDaemonOptions(argv),
        (e: Error) => e instanceof OptionError && message.test(e.message),
        argv.join(' '),
      );
    }
    const inFile: [unknown, RegExp][] = [
      [[], /one JSON object/],
      [{ junk: 1 }, /unknown option 'junk'/],
      [{ mtu: '1500' }, /mtu should be a integer, not "1500"/],
      [{ hosts: 'unix:///x' }, /hosts should be a list/],
    ];
    for (const [content, message] of inFile) {
      assert.throws(() => parse('--config-file', configFile(content)), message);
    }
    assert.throws(
      () => parse('--config-file', configFile({ mtu: 1400 }), '--mtu', '1500'),
      /both as a flag and in .*: mtu/,
    );
  });

  it('are all in the help', () => {
    const help = formatHelp();
    for (const name of Object.keys(optionSpecs)) assert.match(help, new RegExp(`--${name}\\b`));
    assert.equal(parseDaemonOptions(['--help']).kind, 'help');
  });
});
