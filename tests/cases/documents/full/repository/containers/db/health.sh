#!/bin/sh
exec pg_isready
