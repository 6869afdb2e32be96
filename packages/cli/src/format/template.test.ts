import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTemplate, renderTemplate, TemplateError } from './template.ts';

const container = {
  Name: '/web',
  State: { Running: true, Pid: 42 },
  Config: { Labels: { tier: 'front', 'com.example.role': 'web' }, Cmd: ['httpd', '-f'], Tty: false },
  NetworkSettings: { Networks: { shop: { IPAddress: '172.18.0.2' }, bridge: { IPAddress: '172.17.0.2' } } },
  Mounts: [],
  Error: null,
};

function render(template: string, data: unknown = container): string {
  return renderTemplate(parseTemplate(template), data);
}

const cases: [template: string, text: string][] = [
  ['plain', 'plain'],
  ['', ''],
  ['{{.Name}}', '/web'],
  ['{{ .State.Pid }} {{.State.Running}}', '42 true'],
  ['{{json .State}}', '{"Running":true,"Pid":42}'],
  ['{{.State | json}}', '{"Running":true,"Pid":42}'],
  ['{{json .}}', JSON.stringify(container)],
  ['{{.Config.Labels}}', 'map[com.example.role:web tier:front]'],
  ['{{.Config.Cmd}}', '[httpd -f]'],
  ['{{.Error}}', '<no value>'],
  ['{{.Config.Labels.none}}', '<no value>'],
  ['{{.Config.Labels.tier}}', 'front'],
  ['{{index .Config.Labels "com.example.role"}}', 'web'],
  ['{{index .Config.Labels "none"}}', ''],
  ['{{index .Config.Cmd 1}}', '-f'],
  ['{{(index .NetworkSettings.Networks "shop").IPAddress}}', '172.18.0.2'],
  ['{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}', '172.17.0.2 172.18.0.2 '],
  [
    '{{range $name, $net := .NetworkSettings.Networks}}{{$name}}={{$net.IPAddress}};{{end}}',
    'bridge=172.17.0.2;shop=172.18.0.2;',
  ],
  ['{{range $word := .Config.Cmd}}<{{$word}}>{{end}}', '<httpd><-f>'],
  ['{{range .Mounts}}x{{else}}none{{end}}', 'none'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if not .State.Running}}down{{end}}', ''],
  ['{{if eq .Name "/web"}}{{if .Mounts}}m{{else}}n{{end}}{{end}}', 'n'],
  ['{{ne .Name "x"}}', 'true'],
  ['{{len .Config.Cmd}} {{len .Name}}', '2 4'],
  ['{{join .Config.Cmd ", "}}', 'httpd, -f'],
  ['{{upper .Name}}{{.Name | lower}}', '/WEB/web'],
  ['a {{- .Name -}} b', 'a/webb'],
  ['{{"}}"}}', '}}'],
  ['{{`raw`}}', 'raw'],
];

for (const [template, text] of cases) {
  test(`${template || 'the empty template'} renders`, () => {
    assert.equal(render(template), text);
  });
}

const malformed: [template: string, message: RegExp][] = [
  ['{{', /unclosed action/],
  ['{{.Name', /unclosed action/],
  ['{{}}', /missing value/],
  ['{{if .Name}}', /\{\{if\}\} has no \{\{end\}\}/],
  ['{{end}}', /unexpected \{\{end\}\}/],
  ['{{printf "%s" .Name}}', /"printf" is not supported/],
  ['{{constructor .Name}}', /"constructor" is not supported/],
  ['{{.Name .Name}}', /unexpected "\.Name"/],
  ['{{(.Name}}', /unclosed parenthesis/],
  ['{{.Name | .Name}}', /only a function/],
  ['{{json}}', /needs a value/],
  ['{{.Name;}}', /cannot read ";"/],
];

for (const [template, message] of malformed) {
  test(`${template} is refused`, () => {
    assert.throws(
      () => parseTemplate(template),
      (error) => error instanceof TemplateError && message.test(error.message),
    );
  });
}

test('a misspelt API field is an error', () => {
  assert.throws(() => render('{{.Nmae}}'), /there is no field "Nmae"/);
  assert.throws(() => render('{{.Name.First}}'), /cannot take field First of \/web/);
  assert.throws(() => render('{{.Error.Code}}'), /cannot take field Code of nothing/);
});

test('every missing field is an error when strict', () => {
  assert.throws(
    () => renderTemplate(parseTemplate('{{.name}}'), { Name: 'a' }, { strict: true }),
    /no field "name"/,
  );
});

test('inherited properties are not fields', () => {
  assert.equal(render('{{.toString}}'), '<no value>');
});

test('indexing out of range and using an unknown variable are errors', () => {
  assert.throws(() => render('{{index .Config.Cmd 2}}'), /out of range/);
  assert.throws(() => render('{{$x}}'), /undefined variable "\$x"/);
  assert.throws(() => render('{{range .Name}}{{end}}'), /cannot iterate/);
});
