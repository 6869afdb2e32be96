import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lastMessage, parseSyncReport } from './reports.ts';

describe("conmon's report", () => {
  it('is a pid', () => {
    assert.equal(parseSyncReport('{"data": 446}\n', ''), 446);
  });

  it("carries runc's own message, and whose mistake it was", () => {
    const report = (text: string) =>
      JSON.stringify({ data: -1, message: `time="2026" level=error msg=${JSON.stringify(text)}\n` });
    const missing =
      'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH';
    assert.throws(() => parseSyncReport(report(missing), ''), {
      kind: 'invalid',
      message: `OCI runtime create failed: ${missing}: unknown`,
    });
    assert.throws(() => parseSyncReport(report('exec: "/x": permission denied'), ''), { kind: 'invalid' });
    assert.throws(() => parseSyncReport(report('cgroups: no space left'), ''), { kind: 'internal' });
  });

  it('may be missing or garbled', () => {
    assert.throws(() => parseSyncReport('', 'conmon: bad flag\n'), {
      kind: 'internal',
      message: /gave no report: conmon: bad flag/,
    });
    assert.throws(() => parseSyncReport('{', ''), { message: /ended silently/ });
  });

  it('takes the last of several messages, or the text as it is', () => {
    assert.equal(
      lastMessage('time="1" level=warning msg="first"\ntime="2" level=error msg="say \\"hi\\""\n'),
      'say "hi"',
    );
    assert.equal(lastMessage(' plain \n'), 'plain');
  });
});
