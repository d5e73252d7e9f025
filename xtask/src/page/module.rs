//! Writing a WebAssembly module anew so that it compresses better.

use std::convert::Infallible;

use anyhow::{Context, Result, anyhow, bail};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, ImportSection, Module};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionSectionReader, Import, ImportSectionReader,
    Parser, Payload, TypeRef,
};

use super::order;

/// The name that the one module imported from gets.
const IMPORTED_FROM: &str = "a";

/// A module written anew.
pub(super) struct Packed {
    /// The same program, with its functions in the order that deflate likes best, with short names
    /// of what it imports, and without the sections that only tools read.
    pub(super) wasm: Vec<u8>,
    /// The old and the new name of all that is imported, and of the module it comes from.
    pub(super) names: Vec<(String, String)>,
}

/// Packs the module. wasm-bindgen ends the name of each import with a hash, which nothing makes
/// smaller; all come from one module.
pub(super) fn packed(wasm: &[u8]) -> Result<Packed> {
    let old = Contents::of(wasm).context("the page's module cannot be read")?;
    let names = short_names(&old.imports)?;
    let order = order::for_deflate(&old.bodies);
    let imported = u32::try_from(old.imported)?;
    let mut number = vec![0; order.len()];
    for (new, &old) in (imported..).zip(&order) {
        number[old] = new;
    }
    let mut module = Module::new();
    Anew { imported, order, number }
        .parse_core_module(&mut module, Parser::new(0), wasm)
        .map_err(|error| anyhow!("the page's module cannot be written anew: {error}"))?;
    Ok(Packed { wasm: module.finish(), names })
}

/// The parts of a module that matter here.
#[derive(Default)]
struct Contents<'a> {
    imports: Vec<Import<'a>>,
    /// How many of the imports are functions.
    imported: usize,
    bodies: Vec<&'a [u8]>,
}

impl<'a> Contents<'a> {
    fn of(wasm: &'a [u8]) -> Result<Self> {
        let mut contents = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(section) => {
                    contents.imports = section.into_imports().collect::<Result<_, _>>()?;
                }
                Payload::CodeSectionEntry(body) => contents.bodies.push(body.as_bytes()),
                _ => {}
            }
        }
        let functions = |import: &&Import<'_>| matches!(import.ty, TypeRef::Func(_));
        contents.imported = contents.imports.iter().filter(functions).count();
        Ok(contents)
    }
}

fn short_names(imports: &[Import<'_>]) -> Result<Vec<(String, String)>> {
    let Some(module) = imports.first().map(|import| import.module) else { return Ok(Vec::new()) };
    if let Some(other) = imports.iter().find(|import| import.module != module) {
        bail!("the page's module imports from {module} and from {}", other.module);
    }
    let names = imports.iter().enumerate();
    let names = names.map(|(place, import)| (import.name.to_owned(), short_name(place)));
    Ok(names.chain([(module.to_owned(), IMPORTED_FROM.to_owned())]).collect())
}

/// a0 to z0, a1 to z1 and so on: names in JavaScript too.
fn short_name(place: usize) -> String {
    let letter = ('a'..='z').nth(place % 26).unwrap_or('a');
    format!("{letter}{}", place / 26)
}

/// Functions are numbered by their place, the imported ones first.
struct Anew {
    imported: u32,
    /// The old places, as they are to follow each other.
    order: Vec<usize>,
    /// The new number of what stood in each old place.
    number: Vec<u32>,
}

type Error = reencode::Error<Infallible>;

impl Anew {
    fn ordered<T: Clone>(&self, old: &[T]) -> Result<Vec<T>, Error> {
        let all: Option<_> = self.order.iter().map(|&place| old.get(place).cloned()).collect();
        all.ok_or(Error::InvalidCodeSectionSize)
    }
}

impl Reencode for Anew {
    type Error = Infallible;

    fn function_index(&mut self, old: u32) -> Result<u32, Error> {
        let Some(place) = old.checked_sub(self.imported) else { return Ok(old) };
        self.number.get(place as usize).copied().ok_or(Error::InvalidCodeSectionSize)
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error> {
        for (place, import) in section.into_imports().enumerate() {
            imports.import(IMPORTED_FROM, &short_name(place), self.entity_type(import?.ty)?);
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        for kind in self.ordered(&section.into_iter().collect::<Result<Vec<_>, _>>()?)? {
            functions.function(self.type_index(kind)?);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        for body in self.ordered(&section.into_iter().collect::<Result<Vec<_>, _>>()?)? {
            self.parse_function_body(code, body)?;
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
        RefType, TableSection, TableType, TypeSection, ValType,
    };
    use wasmparser::{ElementItems, Operator};

    /// Imports one function and has four, each with a constant to know it by; `calls` says which
    /// of them calls which. The last is exported, and the table holds the first.
    fn example(calls: (u32, u32)) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([ValType::I32], []);
        let mut imports = ImportSection::new();
        imports.import("./long-name.js", "__wbg_call_0123456789abcdef", EntityType::Function(0));
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for own in 0..4 {
            functions.function(u32::from(own == 2));
            let mut body = Function::new([]);
            body.instructions().i32_const(1_000 + own).drop();
            // Makes 1 and 3 alike, and larger than the others.
            for shared in 0..if own % 2 == 1 { 40 } else { 0 } {
                body.instructions().i32_const(1_000_000 + shared).drop();
            }
            if own.cast_unsigned() + 1 == calls.0 {
                body.instructions().call(calls.1).call(0);
            }
            body.instructions().end();
            code.function(&body);
        }
        let kind = TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 1,
            maximum: None,
            shared: false,
        };
        let mut tables = TableSection::new();
        tables.table(kind);
        let mut exports = ExportSection::new();
        exports.export("run", ExportKind::Func, 4);
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions((&[1]).into()));
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&tables);
        module.section(&exports).section(&elements).section(&code);
        module.finish()
    }

    /// What the functions hold, the imported one as -1, and who is called, exported and in the
    /// table, by the constants to know them by.
    fn read(wasm: &[u8]) -> (Vec<i32>, Vec<i32>, i32, i32) {
        let (mut known, mut calls) = (vec![-1], Vec::new());
        for body in Parser::new(0).parse_all(wasm) {
            let Payload::CodeSectionEntry(body) = body.unwrap() else { continue };
            let mut own = None;
            for operator in body.get_operators_reader().unwrap() {
                match operator.unwrap() {
                    Operator::I32Const { value } => _ = own.get_or_insert(value),
                    Operator::Call { function_index } => calls.push(function_index),
                    _ => {}
                }
            }
            known.push(own.unwrap());
        }
        let (mut exported, mut held) = (0, 0);
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                Payload::ExportSection(section) => {
                    exported = section.into_iter().next().unwrap().unwrap().index;
                }
                Payload::ElementSection(section) => {
                    let element = section.into_iter().next().unwrap().unwrap();
                    let ElementItems::Functions(items) = element.items else { panic!() };
                    held = items.into_iter().next().unwrap().unwrap();
                }
                _ => {}
            }
        }
        let who = |number: u32| known[number as usize];
        (known.clone(), calls.into_iter().map(who).collect(), who(exported), who(held))
    }

    #[test]
    fn functions_change_their_places_and_are_found_by_all_who_use_them() {
        let old = example((2, 4));
        let new = packed(&old).unwrap().wasm;
        let (before, after) = (read(&old), read(&new));
        assert_eq!(before.0, [-1, 1_000, 1_001, 1_002, 1_003]);
        assert_eq!(after.0[..3], [-1, 1_001, 1_003], "those alike come first: {:?}", after.0);
        assert_eq!((after.1, after.2, after.3), (vec![1_003, -1], 1_003, 1_000));
        assert_eq!((before.1, before.2, before.3), (vec![1_003, -1], 1_003, 1_000));
    }

    #[test]
    fn each_function_keeps_its_type() {
        let new = packed(&example((2, 4))).unwrap().wasm;
        let place = read(&new).0.iter().position(|known| *known == 1_002).unwrap() - 1;
        let kinds = Parser::new(0).parse_all(&new).find_map(|payload| match payload.unwrap() {
            Payload::FunctionSection(section) => {
                Some(section.into_iter().map(Result::unwrap).collect::<Vec<_>>())
            }
            _ => None,
        });
        let expected: Vec<u32> = (0..4).map(|other| u32::from(other == place)).collect();
        assert_eq!(kinds.unwrap(), expected);
    }

    #[test]
    fn imports_get_short_names_and_the_old_ones_are_told() {
        let Packed { wasm, names } = packed(&example((2, 4))).unwrap();
        let imports = Contents::of(&wasm).unwrap().imports;
        let now: Vec<_> = imports.iter().map(|import| (import.module, import.name)).collect();
        assert_eq!(now, [("a", "a0")]);
        let told: Vec<_> = names.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
        assert_eq!(told, [("__wbg_call_0123456789abcdef", "a0"), ("./long-name.js", "a")]);
    }

    #[test]
    fn the_names_after_z_are_new_ones() {
        assert_eq!([0, 25, 26, 331].map(short_name), ["a0", "z0", "a1", "t12"]);
    }

    #[test]
    fn what_is_no_module_is_refused() {
        assert!(packed(b"<!doctype html>").is_err());
    }
}
