import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkId } from '../base/ids.ts';
import { bridgeOptionKeys as keys, parseBoolean, parseBridgeOptions } from './bridge-options.ts';
import { type BridgeSettings, firewallInterfaceNames } from './network.ts';

const id = 'abcdef0123456789'.repeat(4) as NetworkId;
const parse = (options: Record<string, string>, enableIpv6 = false) =>
  parseBridgeOptions(options, id, enableIpv6);

const defaults: BridgeSettings = {
  device: 'br-abcdef012345',
  masquerade: true,
  interContainer: true,
  interfacePrefix: 'eth',
  gatewayModes: { ipv4: 'nat', ipv6: 'nat' },
  inhibitIpv4: false,
};

describe("the bridge driver's options", () => {
  const accepted: [Record<string, string>, Partial<BridgeSettings>][] = [
    [{}, {}],
    [{ 'org.example': 'x' }, {}],
    [{ [keys.device]: 'shop0' }, { device: 'shop0' }],
    [{ [keys.device]: '' }, {}],
    [{ [keys.interContainer]: 'false' }, { interContainer: false }],
    [{ [keys.masquerade]: '0' }, { masquerade: false }],
    [{ [keys.inhibitIpv4]: 'T' }, { inhibitIpv4: true }],
    [{ [keys.hostBindingIpv4]: '192.0.2.1' }, { hostBindingIpv4: '192.0.2.1' }],
    [{ [keys.hostBindingIpv4]: '0.0.0.0' }, { hostBindingIpv4: '0.0.0.0' }],
    [{ [keys.gatewayModeIpv4]: 'routed' }, { gatewayModes: { ipv4: 'routed', ipv6: 'nat' } }],
    [
      { [keys.gatewayModeIpv6]: 'nat-unprotected' },
      { gatewayModes: { ipv4: 'nat', ipv6: 'nat-unprotected' } },
    ],
    [{ [keys.gatewayModeIpv4]: 'isolated' }, { gatewayModes: { ipv4: 'isolated', ipv6: 'nat' } }],
    [{ [keys.gatewayModeIpv4]: '' }, {}],
    [{ [keys.mtu]: '1400' }, { mtuBytes: 1400 }],
    [{ [keys.mtu]: '0' }, {}],
    [{ [keys.mtu]: '68' }, { mtuBytes: 68 }],
    [{ [keys.mtu]: '65535' }, { mtuBytes: 65535 }],
    [{ [keys.interfacePrefix]: 'net' }, { interfacePrefix: 'net' }],
    [{ [keys.sourceIpv4]: '198.51.100.9' }, { sourceAddresses: { ipv4: '198.51.100.9' } }],
    [
      { [keys.sourceIpv4]: '223.0.0.1', [keys.sourceIpv6]: 'FD00:0::9' },
      { sourceAddresses: { ipv4: '223.0.0.1', ipv6: 'fd00::9' } },
    ],
    [{ [keys.trustedInterfaces]: 'eth1' }, { trustedInterfaces: ['eth1'] }],
    [{ [keys.trustedInterfaces]: ':vxlan.1::eth3:vxlan.1:' }, { trustedInterfaces: ['vxlan.1', 'eth3'] }],
    [{ [keys.trustedInterfaces]: '' }, {}],
    [{ [keys.trustedInterfaces]: '::' }, {}],
  ];
  for (const [options, expected] of accepted) {
    it(`mean the same as at Docker: ${JSON.stringify(options)}`, () =>
      assert.deepEqual(parse(options), { ...defaults, ...expected }));
  }

  const badName = (longest: number) =>
    `it should be 1 to ${longest} characters without '/', ':', '%' or spaces, and not 'all' or 'default'`;
  const refused: [string, string, string][] = [
    [keys.mtu, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
    [keys.mtu, '', 'strconv.Atoi: parsing "": invalid syntax'],
    [keys.mtu, '1e3', 'strconv.Atoi: parsing "1e3": invalid syntax'],
    [keys.mtu, '99999999999999999999', 'strconv.Atoi: parsing "99999999999999999999": value out of range'],
    [keys.interContainer, 'x', 'strconv.ParseBool: parsing "x": invalid syntax'],
    [keys.masquerade, 'yes', 'strconv.ParseBool: parsing "yes": invalid syntax'],
    [keys.inhibitIpv4, '', 'strconv.ParseBool: parsing "": invalid syntax'],
    [keys.hostBindingIpv4, 'x', 'nil ip'],
    [keys.hostBindingIpv4, 'fd00::1', 'nil ip'],
    [keys.gatewayModeIpv4, 'x', 'unknown gateway mode x'],
    [keys.gatewayModeIpv6, 'NAT', 'unknown gateway mode NAT'],
    ...['x'.repeat(16), 'a b', 'a/b', 'a:b', '..', 'br%d', 'all', 'default'].map(
      (name): [string, string, string] => [keys.device, name, badName(15)],
    ),
    ...['br*', '@home', 'tcp', 'icmpv6', 'redirect'].map((name): [string, string, string] => [
      keys.device,
      name,
      `it should be ${firewallInterfaceNames}`,
    ]),
    [keys.interfacePrefix, 'x'.repeat(13), badName(12)],
    [keys.interfacePrefix, 'e/', badName(12)],
    ...['', 'x', 'fd00::9', '198.51.100.0/24', '198.51.100.256', '198.51.100.9 '].map(
      (value): [string, string, string] => [keys.sourceIpv4, value, 'nil ip'],
    ),
    ...['', 'x', '198.51.100.9', 'fd00::9/64', 'fe80::1%eth0'].map((value): [string, string, string] => [
      keys.sourceIpv6,
      value,
      'nil ip',
    ]),
    ...['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255'].map((value): [string, string, string] => [
      keys.sourceIpv4,
      value,
      'no packet on a wire can come from there',
    ]),
    ...['::', '::1', 'ff02::1'].map((value): [string, string, string] => [
      keys.sourceIpv6,
      value,
      'no packet on a wire can come from there',
    ]),
    ...['x'.repeat(16), 'é'.repeat(8), 'a b', '..', 'eth*', 'e"th', 'e\\th', 'a/b', '@eth', 'tcp'].map(
      (name): [string, string, string] => [
        keys.trustedInterfaces,
        `eth0:${name}`,
        `${JSON.stringify(name)}: it should be ${firewallInterfaceNames}`,
      ],
    ),
  ];
  for (const [key, value, why] of refused) {
    it(`are refused with their value: ${key}=${value}`, () => {
      assert.throws(() => parse({ [key]: value }), {
        kind: 'invalid',
        code: 'invalid-network-option',
        message: `failed to parse ${key} value: ${value} (${why})`,
      });
    });
  }

  it('have an MTU that the kernel and IPv6 can live with', () => {
    assert.throws(() => parse({ [keys.mtu]: '-1' }), { kind: 'invalid', message: 'invalid MTU number: -1' });
    for (const [mtu, ipv6] of [
      ['67', false],
      ['65536', false],
      ['1279', true],
    ] as const) {
      assert.throws(
        () => parse({ [keys.mtu]: mtu }, ipv6),
        (error: Error) =>
          error.message.startsWith(`invalid MTU number: ${mtu}: it should be ${ipv6 ? 1280 : 68} to 65535`),
      );
    }
    assert.equal(parse({ [keys.mtu]: '1280' }, true).mtuBytes, 1280);
  });
});

it('booleans are those of Go', () => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) assert.equal(parseBoolean(text), true, text);
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False'])
    assert.equal(parseBoolean(text), false, text);
  for (const text of ['', 'yes', 'tRUE', '2']) assert.equal(parseBoolean(text), undefined, text);
});
