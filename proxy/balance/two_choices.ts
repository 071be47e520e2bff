/**
 * The power of two choices (Mitzenmacher 2001): the endpoint whose turn it is and one drawn at random, of which the
 * cheaper takes the request. The first comes from the rotation rather than from a second draw, so that endpoints that
 * cost the same are used evenly, and in turn.
 */
import type { Random } from "../../base/random.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import type { EndpointGroup } from "./endpoint_group.ts";

const TWO_32 = 2 ** 32;

/** What one more request costs at an endpoint. */
export interface CostModel {
  cost(endpoint: BalancedEndpoint<unknown>, nowMs: number): number;
}

/** Null where no endpoint is available. */
export function cheaperOfTwo<Target>(
  group: EndpointGroup<Target>,
  nowMs: number,
  random: Random,
  model: CostModel,
): BalancedEndpoint<Target> | null {
  const { available } = group;
  const count = available.length;
  if (count === 0) return null;
  const place = group.takeTurn();
  const first = available[place];
  if (count === 1) return first;
  // Any but the first; the bias of the product is below 2^-32 * count.
  const step = 1 + Math.floor(random.next32() / TWO_32 * (count - 1));
  const second = available[place + step < count ? place + step : place + step - count];
  const firstCost = model.cost(first, nowMs);
  const secondCost = model.cost(second, nowMs);
  if (!group.isWarming(nowMs)) return secondCost < firstCost ? second : first;
  return secondCost / group.warmth(second, nowMs) < firstCost / group.warmth(first, nowMs)
    ? second
    : first;
}
