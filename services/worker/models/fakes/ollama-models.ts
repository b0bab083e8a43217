import type { FakeModel } from './models.ts';
import { idOf } from './tokens.ts';

const detailsOf = (name: string) => ({
  parent_model: '',
  format: 'gguf',
  family: /^[a-z]+/.exec(name)?.[0] ?? 'llama',
  families: [/^[a-z]+/.exec(name)?.[0] ?? 'llama'],
  parameter_size: '8.0B',
  quantization_level: 'Q4_K_M',
});

/** `ListResponse` of GET /api/tags. */
export function modelList(models: ReadonlyMap<string, FakeModel>): object {
  const listed = [...models.keys()].map((name) => ({
    name,
    model: name,
    modified_at: '2026-11-01T12:00:00Z',
    size: 4_920_753_328,
    digest: idOf('', name).padEnd(64, '0'),
    details: detailsOf(name),
  }));
  return { models: listed };
}

/** `ShowResponse` of POST /api/show: what the model can do, and how long its context is. */
export function modelShown(name: string, model: FakeModel): object {
  const details = detailsOf(name);
  const capabilities = [
    'completion',
    ...(model.tools ? ['tools'] : []),
    ...(model.thinking === 'none' ? [] : ['thinking']),
  ];
  return {
    license: '',
    modelfile: `FROM ${name}\n`,
    parameters: '',
    template: '{{ .Prompt }}',
    system: '',
    details,
    messages: [],
    model_info: {
      'general.architecture': details.family,
      [`${details.family}.context_length`]: model.context,
    },
    capabilities,
    modified_at: '2026-11-01T12:00:00Z',
  };
}
