import { connect, type Connection, type Gap, type State, type Start, type TickerEvent } from 'tickertape';
import { onScopeDispose, readonly, shallowRef, toValue, watch, type MaybeRefOrGetter } from 'vue';

/** What a page does with a stream: the three handlers of an EventSource. */
export interface Handlers {
  /** The stream is open. resumed: it goes on from where it was. */
  open?(resumed: boolean): void;
  message?(event: TickerEvent): void;
  /** The stream is cut; the client comes back by itself. Or events are gone for good. */
  error?(problem: Problem): void;
}

export type Problem = { kind: 'cut'; reason: string; wait?: number } | ({ kind: 'gap' } & Gap);

export interface TopicOptions {
  /** The hub's base URL; default: the page's origin. */
  hub?: string;
  start?: Start;
  /** Keeps the place over reloads of the tab under this name. */
  remember?: string;
}

/**
 * Listens to topics as long as the component lives. Other topics later go on
 * from the same place.
 */
export function useTopic(topics: MaybeRefOrGetter<string[]>, handlers: Handlers, options: TopicOptions = {}) {
  const { hub = '', start, remember } = options;
  const state = shallowRef<State>({ status: 'connecting', shared: false, leader: false });
  let connection: Connection | undefined;

  function onState(next: State) {
    state.value = next;
    if (next.status === 'open') handlers.open?.(next.resumed ?? false);
    if (next.status === 'waiting') handlers.error?.({ kind: 'cut', reason: next.reason ?? '', wait: next.wait });
  }

  watch(() => toValue(topics).join('\n'), () => {
    const cursor = connection?.cursor;
    connection?.close();
    connection = connect(hub, toValue(topics), {
      start: cursor ? { cursor } : start,
      remember: cursor ? undefined : remember,
      onState,
      onEvent: event => handlers.message?.(event),
      onGap: gap => handlers.error?.({ kind: 'gap', ...gap }),
    });
  }, { immediate: true });

  onScopeDispose(() => connection?.close());
  return { state: readonly(state) };
}
