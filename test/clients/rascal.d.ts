// rascal has no type declarations. These cover what its scenarios use.

declare module 'rascal' {
  import type { EventEmitter } from 'node:events';
  import type { Message } from 'amqplib';

  export interface VhostConfig {
    connection: string | { url: string; retry?: boolean | object };
    exchanges?: Record<string, object>;
    queues?: Record<string, object>;
    bindings?: Record<string, object> | string[];
    publications?: Record<string, object>;
    subscriptions?: Record<string, object>;
  }

  export interface BrokerConfig {
    vhosts: Record<string, VhostConfig>;
  }

  export type AckOrNack = (error?: Error, recovery?: object | object[]) => void;
  export type MessageListener = (message: Message, content: unknown, ackOrNack: AckOrNack) => void;

  export interface PublicationSession extends EventEmitter {
    on(event: 'success', listener: (messageId: string) => void): this;
    on(event: 'error', listener: (error: Error, messageId: string) => void): this;
    on(event: 'return', listener: (message: Message) => void): this;
  }

  export interface SubscriberSession extends EventEmitter {
    on(event: 'message', listener: MessageListener): this;
    on(event: 'subscribed', listener: () => void): this;
    on(event: 'cancelled' | 'error', listener: (error: Error) => void): this;
    cancel(): Promise<void>;
  }

  export interface BrokerAsPromised extends EventEmitter {
    on(event: 'error', listener: (error: Error) => void): this;
    publish(publication: string, payload: unknown, overrides?: string | object): Promise<PublicationSession>;
    subscribe(subscription: string, overrides?: object): Promise<SubscriberSession>;
    purge(): Promise<void>;
    nuke(): Promise<void>;
    shutdown(): Promise<void>;
  }

  export const BrokerAsPromised: { create(config: BrokerConfig): Promise<BrokerAsPromised> };
}
