from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

compiled: bool
longlong = int
ulonglong = int
double = float
bint = bool
int = int
Py_ssize_t = int
p_longlong: Any

def cast(kind: type[_T], value: Any, typecheck: bool = ...) -> _T: ...
def declare(kind: type[_T], value: Any = ...) -> _T: ...
def cclass(kind: type[_T]) -> type[_T]: ...
def no_gc(kind: type[_T]) -> type[_T]: ...
def no_gc_clear(kind: type[_T]) -> type[_T]: ...
def freelist(size: int) -> Callable[[type[_T]], type[_T]]: ...
