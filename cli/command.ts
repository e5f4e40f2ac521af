import { type Command, InvalidArgumentError } from "commander";
import type { Session } from "./session.ts";

/** What a command does: gets the session, its arguments and its options, and gives an exit code other than 0 if need be. */
export type RunCommand = (
  session: Session,
  // Commander hands over what the definition declares: strings for arguments, an object for options.
  ...args: never[]
) => Promise<number | undefined> | Promise<void>;

/** Makes a commander action of a command. */
export type CommandAction = (run: RunCommand) => (...args: unknown[]) => Promise<void>;

/** Adds a group of related commands to the program. */
export type AddCommands = (program: Command, action: CommandAction) => void;

/** A whole number from an option. Commander shows the message with the option's name. */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    throw invalidOption(`${name} is a whole number from ${min} to ${max}, not "${text}"`);
  };
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function invalidOption(message: string): Error {
  return new InvalidArgumentError(message);
}
