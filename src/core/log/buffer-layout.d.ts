/** The part of buffer-layout 1.2 that we use; the package ships no types. */
declare module 'buffer-layout' {
  export interface Layout<T> {
    readonly span: number;
    readonly property: string;
    decode(bytes: Buffer, offset?: number): T;
    encode(value: T, bytes: Buffer, offset?: number): number;
  }
  export interface Structure<T> extends Layout<T> {
    /** Bytes from the start of the structure; undefined for an unknown property or after a field of variable size. */
    offsetOf(property: keyof T & string): number | undefined;
  }
  export function struct<T>(fields: readonly Layout<unknown>[], property?: string): Structure<T>;
  export function u8(property: string): Layout<number>;
  export function u16(property: string): Layout<number>;
  export function u32(property: string): Layout<number>;
  export function f64(property: string): Layout<number>;
  export function nu64be(property: string): Layout<number>;
  export function u32be(property: string): Layout<number>;
}
