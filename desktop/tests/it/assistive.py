"""Prints what a screen reader reads of a program over AT-SPI: the role and the name of each node, in order.

Usage: assistive.py PROGRAM. Turns assistive technologies on in the session, and waits until the program shows a table.
"""

import sys
import time

import pyatspi
from gi.repository import Gio, GLib

PATIENCE = 30


def turn_on():
    """Tells the programs of the session that a screen reader runs."""
    bus = Gio.bus_get_sync(Gio.BusType.SESSION)
    for name in ("IsEnabled", "ScreenReaderEnabled"):
        value = GLib.Variant("(ssv)", ("org.a11y.Status", name, GLib.Variant("b", True)))
        bus.call_sync(
            "org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set", value, None,
            Gio.DBusCallFlags.NONE, -1, None,
        )


def nodes(node):
    """Returns the role and the name of a node and of all nodes in it."""
    found = [(node.getRoleName(), node.name)]
    for index in range(node.childCount):
        child = node.getChildAtIndex(index)
        if child is not None:
            found.extend(nodes(child))
    return found


def main():
    turn_on()
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
        desktop = pyatspi.Registry.getDesktop(0)
        for index in range(desktop.childCount):
            program = desktop.getChildAtIndex(index)
            if program is None or program.name != sys.argv[1]:
                continue
            found = nodes(program)
            if any(role == "table cell" for role, _ in found):
                for role, name in found:
                    print(f"{role}: {name}")
                return
        time.sleep(0.2)
    sys.exit(f"{sys.argv[1]} shows no table")


main()
