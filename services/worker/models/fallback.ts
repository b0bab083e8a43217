/** A chain of models: while one is out, the next that can serve the request answers. */
import { Failure, type FailureCode } from '#chassis/failures.ts';
import type { Logger } from '#chassis/log.ts';
import { dearest } from './capabilities.ts';
import type { Model, ModelRequest } from './model.ts';
import { mayHaveBeenPaid } from './provider-failure.ts';

/**
 * What is left of an outage after the retries of a provider. A refusal, a request that is not valid, a name that the
 * provider does not know or a key that it does not accept would only be hidden by asking another.
 */
const outages: readonly FailureCode[] = [
  'model_failed',
  'model_overloaded',
  'rate_limited',
  'model_timeout',
  'stream_broken',
];

/**
 * One model of several, the first preferred. An answer of another than the first says so in `by`. `skipped` are those
 * that could not be asked at all, each with why, for the message when none of the others answers either.
 */
export function chainOf(
  models: readonly [Model, ...Model[]],
  skipped: readonly string[],
  log: Pick<Logger, 'warn'>,
): Model {
  const [first] = models;
  const some = (can: (model: Model) => boolean): boolean => models.some(can);
  return {
    provider: first.provider,
    model: first.model,
    paid: some(({ paid }) => paid),
    finite: false,
    capabilities: {
      tools: some(({ capabilities }) => capabilities.tools),
      json: some(({ capabilities }) => capabilities.json),
      contextTokens: Math.max(...models.map(({ capabilities }) => capabilities.contextTokens)),
      maxOutputTokens: Math.max(...models.map(({ capabilities }) => capabilities.maxOutputTokens)),
      temperature: some(({ capabilities }) => capabilities.temperature),
    },
    price: dearest(models.map(({ price }) => price)),
    async call(request, signal, onText) {
      const told = [...skipped];
      let failure: Failure | null = null;
      for (const model of models) {
        const who = `${model.provider}/${model.model}`;
        if (!canServe(model, request)) {
          told.push(`${who}: takes no tools`);
          continue;
        }
        try {
          const answer = await model.call(request, signal, onText);
          if (model === first) return answer;
          return { by: { provider: model.provider, model: model.model }, ...answer };
        } catch (error) {
          if (signal.aborted || !(error instanceof Failure) || !outages.includes(error.code)) throw error;
          if (request.payOnce && mayHaveBeenPaid(error)) throw error;
          failure ??= error;
          told.push(error.message);
          log.warn(
            { code: error.code, message: error.message },
            `${who} is out: the next of the chain is asked`,
          );
        }
      }
      if (failure !== null && told.length === 1) throw failure;
      throw new Failure(
        failure?.code ?? 'model_incapable',
        `no model of the chain answered: ${told.join('; ')}`,
        {
          cause: failure,
        },
      );
    },
  };
}

const canServe = ({ capabilities }: Model, { tools }: ModelRequest): boolean =>
  capabilities.tools || tools.length === 0;
