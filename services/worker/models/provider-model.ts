import { dearest, type ModelFacts } from './capabilities.ts';
import { fitted } from './fit.ts';
import type { Model } from './model.ts';
import type { Provider } from './provider.ts';
import { mayHaveBeenPaid } from './provider-failure.ts';
import type { ProviderGate } from './provider-gate.ts';

/**
 * A model of a provider behind our interface: the request is made to fit, then sent through the provider's gate. After a
 * broken stream the pieces that `onText` is given begin anew.
 */
export function providerModel(parts: {
  readonly provider: Provider;
  readonly model: string;
  readonly facts: ModelFacts;
  readonly gate: ProviderGate;
}): Model {
  const { provider, model, facts, gate } = parts;
  const who = `${provider.name}/${model}`;
  const price = dearest([facts.price]);
  return {
    provider: provider.name,
    model,
    // What nobody knows the price of may well cost something.
    paid: price === null || price.input + price.output > 0,
    finite: false,
    capabilities: facts.capabilities,
    price,
    async call(request, signal, onText) {
      const call = { model, facts, request: fitted(request, facts, who) };
      const mayTryAgain = (error: unknown) => !request.payOnce || !mayHaveBeenPaid(error);
      return gate.run(who, (tried) => provider.ask(call, tried, onText), signal, mayTryAgain);
    },
  };
}
